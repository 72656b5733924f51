"""The host layer: brings results of ``ctinsight`` into a MRML scene, inside 3D Slicer or without it.

Everything here takes the scene it works on; nothing assumes ``slicer.mrmlScene`` or a window. Names follow
Slicer: camelCase functions, CamelCase files. ``python -m CTInsightLib RESULT_FOLDER`` adds ``scene.mrb`` and
``overview.png`` to a result folder.

Research use only. Not a medical device.
"""
