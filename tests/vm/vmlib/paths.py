"""Where the programs under test are, and where a scenario may have its folders."""
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.dirname(TESTS)
BIN = os.path.abspath(os.environ.get("SECRET_PROXY_BIN") or os.path.join(TREE, "build", "core"))
BUILD = os.path.dirname(BIN)
# Below it lie the agent's folders, so it must be root's and nobody else's to write to.
ROOM = os.environ.get("SECRET_PROXY_TEST_ROOM") or "/var/lib"

# The scenarios without machines have what speaks to a vault.
API = os.path.join(TESTS, "api")
BOTAPI = os.path.join(TESTS, "botapi")
for path in (API, BOTAPI):
    if path not in sys.path:
        sys.path.append(path)
