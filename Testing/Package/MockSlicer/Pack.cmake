# Packages what was installed.
set(CPACK_GENERATOR TGZ)
include(CPack)
