"""Scripts that run inside editing systems and call the `vedit` command; `vedit nle install HOST` puts them there.

No module of vedit is imported inside a host: each script is installed as one file, see `vedit.nle_hosts.install`.
"""
