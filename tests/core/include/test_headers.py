"""The public headers: each compiles alone, in C and in C++, and a plugin in C++ is one.

$SP_PKG_CONFIG_PATH leads to the secret-proxy-plugin.pc of the build tree, $SECRET_PROXY is the program.
"""
import json
import os
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
HEADERS = os.path.join(HERE, "..", "..", "..", "core", "include", "secret-proxy")
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
# Language, standard, and who compiles it.
LANGUAGES = [("c", "c11", ("gcc", "clang")), ("c", "c17", ("gcc", "clang")),
             ("c++", "c++14", ("g++", "clang++")), ("c++", "c++20", ("g++", "clang++"))]


def flags(what, *packages):
    env = {**os.environ, "PKG_CONFIG_PATH": os.environ["SP_PKG_CONFIG_PATH"]}
    done = subprocess.run(["pkg-config", what, "secret-proxy-plugin", *packages], env=env, check=True,
                          capture_output=True, text=True)
    return done.stdout.split()


def compile_text(compiler, language, standard, text, *more):
    return subprocess.run([compiler, "-x", language, f"-std={standard}", *STRICT, *flags("--cflags", "json-glib-1.0"),
                           "-fsyntax-only", *more, "-"], input=text, capture_output=True, text=True, check=False)


class Headers(unittest.TestCase):
    def test_each_compiles_alone(self):
        names = sorted(os.listdir(HEADERS))
        self.assertIn("plugin.h", names)
        for name in names:
            for language, standard, compilers in LANGUAGES:
                for compiler in compilers:
                    with self.subTest(header=name, standard=standard, compiler=compiler):
                        done = compile_text(compiler, language, standard, f"#include <secret-proxy/{name}>\n")
                        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_strictness_would_be_noticed(self):
        done = compile_text("gcc", "c", "c11", "#include <secret-proxy/plugin.h>\nint f (int unused) { return 1; };\n")
        self.assertNotEqual(done.returncode, 0)

    def test_a_plugin_in_cpp(self):
        for compiler in ("g++", "clang++"):
            with self.subTest(compiler=compiler), tempfile.TemporaryDirectory() as folder:
                module = os.path.join(folder, "notify-cpp.so")
                # What is left out of a table means something: unset.
                subprocess.run([compiler, "-std=c++20", *STRICT, "-Wno-missing-field-initializers", "-fPIC", "-shared", "-fvisibility=hidden",
                                *flags("--cflags"), os.path.join(HERE, "plugin.cc"), "-o", module, *flags("--libs")],
                               check=True)
                done = subprocess.run([os.environ["SECRET_PROXY"], "--json", "plugin", "show", module],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                shown = json.loads(done.stdout)
                self.assertEqual((shown["kind"], shown["name"], shown["calls"]), ("notify", "cpp", ["open", "close", "post"]))
                self.assertEqual(shown["options"][0]["default"], "lobby")


if __name__ == "__main__":
    unittest.main()
