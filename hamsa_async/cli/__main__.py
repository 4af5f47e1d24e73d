"""`python -m hamsa_async.cli`: the same as `hamsa`."""

from hamsa_async.cli import main

main()
