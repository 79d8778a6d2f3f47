"""The Loop protocol's contract as tests that know no backend. For the author of one:

    pytest --pyargs hubcore.testing.conformance --hub-backend=my.package:MyLoop

(with `-p hubcore.testing.plugin` in front where hubcore's entry points are not installed). The tests take a bare
`loop`, or a `hub`, from the plugin, which also fails those that leave an fd or a thread behind.
"""
