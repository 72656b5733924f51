# The one macro of 3D Slicer that a scripted module needs: it refuses unknown arguments and missing files, and
# installs each file under its relative path.
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer-5.12/qt-scripted-modules")

function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MODULE "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MODULE_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${MODULE_NAME}: unknown arguments: ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  foreach(name IN LISTS MODULE_SCRIPTS MODULE_RESOURCES)
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${name}")
      message(FATAL_ERROR "${MODULE_NAME}: a listed file does not exist: ${name}")
    endif()
    get_filename_component(folder "${name}" DIRECTORY)
    install(FILES "${name}" DESTINATION "${Slicer_QTSCRIPTEDMODULES_LIB_DIR}/${folder}")
  endforeach()
endfunction()
