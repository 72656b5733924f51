# The real file writes the build-tree configuration of the extension.
