"""As tests.cpython.child, after `patch_all`, which comes before any other import as in a program that uses it."""

from hubcore import monkey

monkey.patch_all()

if __name__ == "__main__":
    import sys

    from tests.cpython import child

    sys.argv.append("--patched")
    child.main()
