"""A machine that does not play along: ports in use, full disks, stores from elsewhere."""
import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import unittest

from lib.case import PLAIN, Case, can, is_root
from lib.vault import Failed, run
from lib.wait import until


@contextlib.contextmanager
def rows_of(path):
    """The store's database, opened by hand; committed and closed at the end."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        with database:
            yield database


class Ports(Case):
    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            vault = self.vault(start=False)
            vault.port = taken.getsockname()[1]
            with self.assertRaises(Failed) as caught:
                vault.start()
            self.assertEqual(caught.exception.status, 4, caught.exception)
            self.assertIn(str(vault.port), caught.exception.message)
            self.assertIn("in use", caught.exception.message)
            vault.port = 0
            vault.start()

    def test_the_port_stays_over_a_crash(self):
        import signal
        vault = self.vault()
        os.kill(vault.role("parent"), signal.SIGKILL)
        until(lambda: self.health(vault) == 200, "the way back")

    def health(self, vault):
        try:
            return vault.anonymous().call("GET", "/health").status
        except Exception:  # pylint: disable=broad-except
            return None


class Stores(Case):
    def databases(self, vault):
        return [os.path.join(f, n) for f, _, names in os.walk(vault.folder + "/state") for n in names if n.endswith(".db")]

    def prepared(self):
        vault = self.vault()
        vault.put("db", "x")
        vault.end()
        return vault, self.databases(vault)[0]

    def refused(self, vault, status, *parts):
        with self.assertRaises(Failed) as caught:
            vault.start()
        self.assertEqual(caught.exception.status, status, caught.exception)
        for part in parts:
            self.assertIn(part, caught.exception.message)

    def test_a_database_of_a_newer_version(self):
        vault, path = self.prepared()
        with rows_of(path) as database:
            version = database.execute("pragma user_version").fetchone()[0]
            database.execute(f"pragma user_version = {version + 1}")
        with open(path, "rb") as file:
            before = file.read()
        self.refused(vault, 1, "version", "newer")
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_a_file_that_is_no_database(self):
        vault, path = self.prepared()
        with open(path, "r+b") as file:
            file.write(b"this is no database at all, it only lies where one should be")
        with self.assertRaises(Failed) as caught:
            vault.start()
        self.assertIn(caught.exception.status, (1, 3, 9), caught.exception)

    def test_sealed_rows_that_were_changed(self):
        vault = self.vault()
        vault.put("db", "x")
        vault.agent().ask("db")
        vault.end()
        path, before = self.databases(vault)[0], self.copy(vault)
        for table in ("secrets", "agents", "requests", "audit"):
            with self.subTest(table):
                with rows_of(path) as database:
                    row = database.execute("select key, value from rows where tbl = ? limit 1", (table,)).fetchone()
                    self.assertIsNotNone(row, table)
                    changed = row[1][:-1] + bytes([row[1][-1] ^ 1])
                    database.execute("update rows set value = ? where tbl = ? and key = ?", (changed, table, row[0]))
                self.refused_or_found(vault)
                self.put_back(vault, before)

    def test_a_value_that_was_changed_is_not_given(self):
        vault = self.vault()
        vault.put("db", "x")
        agent = vault.agent()
        number = agent.ask("db")["id"]
        vault.approve(number)
        vault.end()
        with rows_of(self.databases(vault)[0]) as database:
            value, = database.execute("select value from rows where tbl = 'values'").fetchone()
            database.execute("update rows set value = ? where tbl = 'values'", (value[:-1] + bytes([value[-1] ^ 1]),))
        try:
            vault.start()
        except Failed as error:
            self.assertEqual(error.status, 9, error)
            return
        agent.port = vault.port
        answer = agent.redeem(number)
        self.assertGreaterEqual(answer.status, 500, answer)
        self.assertEqual(agent.look(number)["status"], "approved")

    def refused_or_found(self, vault):
        """Either it does not start, or the proof of the log fails; exit 9 both times."""
        try:
            vault.start()
        except Failed as error:
            self.assertEqual(error.status, 9, error)
        else:
            self.assert_fails(vault.cli("audit", "verify"), 9)
            vault.end()

    def copy(self, vault):
        before = os.path.join(vault.home, "before")
        shutil.copytree(vault.folder, before)
        return before

    def put_back(self, vault, before):
        shutil.rmtree(vault.folder)
        shutil.copytree(before, vault.folder)

    def test_rows_that_are_missing(self):
        vault, path = self.prepared()
        before = self.copy(vault)
        for which in ("max", "min"):
            with rows_of(path) as database:
                found = database.execute(f"select {which}(key) from rows where tbl = 'audit'").fetchone()
                database.execute("delete from rows where tbl = 'audit' and key = ?", found)
            with self.subTest(which):
                self.refused_or_found(vault)
            self.put_back(vault, before)

    def test_a_lost_key_is_told(self):
        vault, _ = self.prepared()
        os.remove(vault.folder + "/master.key")
        with self.assertRaises(Failed) as caught:
            vault.start()
        self.assertIn("master.key", caught.exception.message)
        self.assertIn(caught.exception.status, (3, 9))

    def test_a_wrong_key_is_told(self):
        vault, _ = self.prepared()
        with open(vault.folder + "/master.key", "wb") as file:
            file.write(os.urandom(32))
        self.refused(vault, 9)


class FullDisk(Case):
    def setUp(self):
        if not is_root() or not can("mount", "--version"):
            self.skipTest("needs root")
        self.disk = tempfile.mkdtemp(prefix="sp-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "none", self.disk],
                              capture_output=True, check=False)
        if done.returncode != 0:
            os.rmdir(self.disk)
            self.skipTest("may not mount")
        self.addCleanup(lambda: (subprocess.run(["umount", "-l", self.disk], check=False), os.rmdir(self.disk)))

    def fill(self):
        filler = os.open(self.disk + "/filler", os.O_WRONLY | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):
            while os.write(filler, b"x" * 4096):
                pass
        os.close(filler)

    def test_nothing_acknowledged_is_lost(self):
        vault = self.vault(PLAIN, start=False, folder=self.disk + "/vault")
        vault.start()
        vault.put("db", "x")
        agent = vault.agent()
        number = agent.ask("db")["id"]
        vault.approve(number)
        self.fill()
        made, refused = [], None
        for n in range(2000):
            answer = agent.post("db", f"{n} " + "r" * 400, key=f"k{n}")
            if answer.status != 201:
                refused = answer
                break
            made.append(answer.json["id"])
            agent.cancel(made[-1])
        self.assertIsNotNone(refused, "the disk is not full")
        if refused.status != 429:
            self.assert_problem(refused, 503, "store")
        self.assertNotEqual(vault.cli("secret", "put", "more", input=b"y" * 60000).status, 0)
        os.remove(self.disk + "/filler")
        until(lambda: agent.post("db", key="after").status == 201, "recovery", 30)
        listed = {s["name"] for s in vault.admin("secret", "list")["items"]}
        self.assertEqual(listed, {"db"})
        for one in made:
            self.assertIn(agent.look(one)["status"], ("pending", "cancelled"))
        self.assertEqual(agent.redeem(number).json["value"], "x")
        self.assert_problem(agent.redeem(number), 410, "used")
        vault.verify()

    def test_no_room_for_the_first_start(self):
        self.fill()
        result = run("local", self.disk + "/vault", "--port", "0")
        self.assertEqual(result.status, 1, result)
        self.assertIn("space", result.err)
        self.assertEqual(result.out, b"")


class Folders(Case):
    def test_a_folder_that_others_can_read(self):
        vault = self.vault(start=False)
        os.mkdir(vault.folder, 0o755)
        os.chmod(vault.folder, 0o755)
        try:
            vault.start()
        except Failed as error:
            self.assertIn(vault.folder, error.message)
        else:
            self.assertEqual(os.stat(vault.folder).st_mode & 0o077, 0)

    def test_a_file_in_place_of_the_folder(self):
        vault = self.vault(start=False)
        vault.write("vault", "x")
        with self.assertRaises(Failed) as caught:
            vault.start()
        self.assertIn(vault.folder, caught.exception.message)


if __name__ == "__main__":
    unittest.main()
