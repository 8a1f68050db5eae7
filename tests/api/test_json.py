"""JSON that is deep, doubled, huge, broken or not what was asked for."""
import unittest

from lib.case import VaultCase


class Bodies(VaultCase):
    def refused(self, body, field=None, status=400, name="invalid"):
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        answer = self.a.call("POST", "/v1/requests", body, Content_Type="application/json")
        self.assert_problem(answer, status, name, field)

    def tearDown(self):
        self.assertEqual(self.v.anonymous().call("GET", "/health").status, 200)
        self.assertEqual(self.a.call("GET", "/v1/requests").json["items"], [])

    def test_deep(self):
        self.refused("[" * 8000 + "]" * 8000)
        self.refused('{"a":' * 2500 + "1" + "}" * 2500)
        self.refused('{"secret":"db","reason":' + "[" * 100 + "]" * 100 + "}")
        self.refused("[" * 16000)

    def test_keys_that_come_twice(self):
        self.refused('{"secret":"db","reason":"r","secret":"other"}')
        self.refused('{"secret":"db","reason":"r","\\u0073ecret":"other"}')

    def test_unknown_fields(self):
        self.refused('{"secret":"db","reason":"r","grant":1}', "grant")
        self.refused('{"secret":"db","reason":"r","":1}')
        self.refused('{"secret":"db","reason":"r","status":"approved"}', "status")

    def test_wrong_types(self):
        for body in ("[]", '"text"', "7", "null", "true", ""):
            self.refused(body)
        for value in ("1", "true", "null", "[]", "{}", '["db"]'):
            self.refused(f'{{"secret":{value},"reason":"r"}}', "secret")
        for value in ('"60"', "true", "[60]", "60.0", "6e1", "60.5"):
            self.refused(f'{{"secret":"db","reason":"r","ttl":{value}}}')

    def test_numbers_that_are_too_large(self):
        for value in ("9223372036854775808", "-9223372036854775809", "1" + "0" * 400, "1e400", "-1", "0", "4294967326"):
            self.refused(f'{{"secret":"db","reason":"r","ttl":{value}}}')

    def test_text_that_is_no_text(self):
        for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\x00b", b"a\nb", b"\\ud800", b"\\u0000",
                     b"\\x41", b"\\"):
            self.refused(b'{"secret":"db","reason":"' + text + b'"}')

    def test_forms_that_are_almost_json(self):
        for body in ('{"secret":"db","reason":"r"', '{"secret":"db","reason":"r"}}', '{"secret":"db","reason":"r"} x',
                     "{'secret':'db','reason':'r'}", '{"secret":"db","reason":"r",}', '{secret:"db","reason":"r"}',
                     '{"secret":"db","reason":"r"}//', '\ufeff{"secret":"db","reason":"r"}', '{"secret":"db","reason":NaN}',
                     '{"secret":"db","reason":"r","ttl":+60}', '{"secret":"db","reason":"r","ttl":060}'):
            self.refused(body)

    def test_names_that_are_no_names(self):
        for name in ("../db", "db\u200b", "x" * 129, "d b", "\U0001f600", "' OR 1=1 --", "*"):
            answer = self.a.post(name)
            self.assertIn((answer.status, answer.problem), ((404, "not-found"), (400, "invalid")))

    def test_a_redeem_may_say_nothing(self):
        number = "x" * 22
        for body, status in ((b"{}", 404), (b"", 404), (b'{"for":1}', 400), (b"[]", 400), (b"{", 400)):
            answer = self.a.call("POST", f"/v1/requests/{number}/redeem", body, Content_Type="application/json")
            self.assertEqual(answer.status, status, (body, answer))


if __name__ == "__main__":
    unittest.main()
