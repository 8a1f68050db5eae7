"""Where the programs under test are.

SECRET_PROXY_BIN names the folder of the programs; without it the usual build
folder of this tree is taken. The plugins are found by the programs.
"""
import os

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.dirname(TESTS)
BIN = os.path.abspath(os.environ.get("SECRET_PROXY_BIN") or os.path.join(TREE, "build", "core"))
BUILD = os.path.dirname(BIN)
PROGRAM = os.path.join(BIN, "secret-proxy")
DAEMON = os.path.join(BIN, "secret-proxyd")
PLUGINS = os.path.join(BUILD, "plugins")
BAD_PLUGINS = os.environ.get("SECRET_PROXY_BAD_PLUGINS") or os.path.join(BUILD, "tests", "bad")
BOTAPI = os.path.join(TESTS, "botapi")
DOCS = os.path.join(TREE, "docs")
