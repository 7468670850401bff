"""`vedit.pipelines`: see the package's entry points and the registry for what is listed."""

if __name__ != "vedit.pipelines":
    raise ImportError("import vedit.pipelines, not pipelines: the top-level folder is a part of the package")
