"""`vedit.preprocessors`: see the package's entry points and the registry for what is listed."""

if __name__ != "vedit.preprocessors":
    raise ImportError("import vedit.preprocessors, not preprocessors: the top-level folder is a part of the package")
