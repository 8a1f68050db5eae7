/* test-json.c - the reader in front of json-glib: what it refuses, what it must not refuse, and that
 * a secret is out of the text before a parser sees it
 */
#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "test-loop.h"

/* A row for texts with a length of their own. */
#define TEXT(text) text, sizeof (text) - 1

typedef struct {
  const char *name;
  const char *text;
  gsize length;
} Sample;

static const Sample refused[] = {
  { "empty", TEXT ("") },
  { "only-space", TEXT (" \n\t") },
  { "byte-order-mark", TEXT ("\xef\xbb\xbf{}") },
  { "duplicate-key", TEXT ("{\"a\":1,\"a\":2}") },
  { "duplicate-key-escaped", TEXT ("{\"a\":1,\"\\u0061\":2}") },
  { "duplicate-key-inside", TEXT ("[{\"x\":{\"k\":1,\"\\u006b\":1}}]") },
  { "duplicate-empty-key", TEXT ("{\"\":1,\"\":2}") },
  { "integer-too-big", TEXT ("[9223372036854775808]") },
  { "integer-too-small", TEXT ("[-9223372036854775809]") },
  { "integer-of-50-digits", TEXT ("[11111111111111111111111111111111111111111111111111]") },
  { "float-too-big", TEXT ("[1e400]") },
  { "float-too-small", TEXT ("[-1e400]") },
  { "number-too-long",
    TEXT ("[0.00000000000000000000000000000000000000000000000000000000000000001]") },
  { "leading-zero", TEXT ("[01]") },
  { "minus-leading-zero", TEXT ("[-01]") },
  { "minus-alone", TEXT ("[-]") },
  { "plus", TEXT ("[+1]") },
  { "point-first", TEXT ("[.5]") },
  { "point-last", TEXT ("[5.]") },
  { "exponent-empty", TEXT ("[1e]") },
  { "exponent-sign-only", TEXT ("[1e+]") },
  { "hex", TEXT ("[0x10]") },
  { "nan", TEXT ("[NaN]") },
  { "infinity", TEXT ("[Infinity]") },
  { "nul-in-string", TEXT ("[\"a\0b\"]") },
  { "nul-after", TEXT ("{}\0") },
  { "nul-escaped", TEXT ("[\"\\u0000\"]") },
  { "lone-high-surrogate", TEXT ("[\"\\ud800\"]") },
  { "lone-low-surrogate", TEXT ("[\"\\udc00\"]") },
  { "two-high-surrogates", TEXT ("[\"\\ud800\\ud800\"]") },
  { "high-surrogate-at-the-end", TEXT ("[\"\\ud83d") },
  { "surrogate-in-key", TEXT ("{\"\\udfff\":1}") },
  { "surrogate-as-utf-8", TEXT ("[\"\xed\xa0\x80\"]") },
  { "overlong-utf-8", TEXT ("[\"\xc0\xaf\"]") },
  { "broken-utf-8", TEXT ("[\"\xff\"]") },
  { "newline-in-string", TEXT ("[\"a\nb\"]") },
  { "tab-in-string", TEXT ("[\"a\tb\"]") },
  { "escape-byte-in-string", TEXT ("[\"\x1b[31m\"]") },
  { "unknown-escape", TEXT ("[\"\\x41\"]") },
  { "short-unicode-escape", TEXT ("[\"\\u12\"]") },
  { "single-quotes", TEXT ("['a']") },
  { "comment", TEXT ("[1 /* one */]") },
  { "comment-line", TEXT ("// x\n[1]") },
  { "comment-hash", TEXT ("# x\n[1]") },
  { "comma-last-in-list", TEXT ("[1,]") },
  { "comma-last-in-object", TEXT ("{\"a\":1,}") },
  { "comma-first", TEXT ("[,1]") },
  { "comma-missing", TEXT ("[1 2]") },
  { "colon-missing", TEXT ("{\"a\" 1}") },
  { "value-missing", TEXT ("{\"a\":}") },
  { "key-no-string", TEXT ("{1:2}") },
  { "key-bare", TEXT ("{a:2}") },
  { "wrong-bracket", TEXT ("[1}") },
  { "wrong-brace", TEXT ("{\"a\":1]") },
  { "trailing-brace", TEXT ("{}}") },
  { "trailing-text", TEXT ("{} x") },
  { "two-values", TEXT ("{}{}") },
  { "word-cut", TEXT ("[tru]") },
  { "word-upper-case", TEXT ("[True]") },
  { "word-longer", TEXT ("[nullx]") },
  { "vertical-tab", TEXT ("[1,\v2]") },
  { "no-break-space", TEXT ("[\xc2\xa0 1]") },
};

static void
test_refused (gconstpointer data)
{
  const Sample *sample = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) again = NULL;
  g_autoptr (JsonNode) node = sp_json_parse (sample->text, sample->length, 0, &error);

  g_assert_null (node);
  g_assert_error (error, SP_ERROR, SP_ERROR_REFUSED);
  g_assert_false (sp_json_check (sample->text, sample->length, &again));
  g_assert_error (again, SP_ERROR, SP_ERROR_REFUSED);
}

static const Sample accepted[] = {
  { "object-empty", TEXT ("{}") },
  { "list-empty", TEXT ("[]") },
  { "space-everywhere", TEXT (" \t\r\n{ \"a\" : [ 1 , 2 ] } \n") },
  { "string-alone", TEXT ("\"x\"") },
  { "number-alone", TEXT ("5") },
  { "true-alone", TEXT ("true") },
  { "null-inside", TEXT ("[null,true,false]") },
  { "key-empty", TEXT ("{\"\":1}") },
  { "same-key-in-two-objects", TEXT ("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}") },
  { "escapes", TEXT ("[\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0041\"]") },
  { "surrogate-pair", TEXT ("[\"\\ud83d\\ude00\"]") },
  { "utf-8", TEXT ("[\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"]") },
  { "delete-character", TEXT ("[\"\x7f\"]") },
  { "brackets-in-string", TEXT ("[\"]}{[,:\"]") },
};

static void
test_accepted (gconstpointer data)
{
  const Sample *sample = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = sp_json_parse (sample->text, sample->length, 0, &error);

  g_assert_no_error (error);
  g_assert_nonnull (node);
}

static void
test_numbers (void)
{
  static const char *const numbers[] = { "0",    "-0",    "1",     "-1",     "10",           "0.5",
                                         "-0.5", "1e5",   "1E5",   "1e+5",   "1e-5",         "0e1",
                                         "0.0",  "1.5e3", "1e308", "1e-400", "1234567890123" };

  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++) {
    g_autofree char *text = g_strdup_printf ("[%s]", numbers[i]);
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), 0, &error);

    g_assert_no_error (error);
    g_assert_cmpfloat (json_array_get_double_element (json_node_get_array (node), 0), ==,
                       g_ascii_strtod (numbers[i], NULL));
  }
}

static void
test_integers_at_the_ends (void)
{
  const char *text = "[9223372036854775807,-9223372036854775808]";
  g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), 0, NULL);
  JsonArray *array = json_node_get_array (node);

  g_assert_true (json_array_get_int_element (array, 0) == G_MAXINT64);
  g_assert_true (json_array_get_int_element (array, 1) == G_MININT64);
}

static void
test_escapes_mean_what_they_say (void)
{
  const char *text = "[\"\\ud83d\\ude00\\u00e4\\/\\\"\\n\"]";
  g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), 0, NULL);

  g_assert_cmpstr (json_array_get_string_element (json_node_get_array (node), 0), ==,
                   "\xf0\x9f\x98\x80\xc3\xa4/\"\n");
}

/* ---- bounds ------------------------------------------------------------------------------------------------ */

static char *
nested (guint depth, const char *open, const char *close)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < depth; i++)
    g_string_append (text, open);
  g_string_append_c (text, '1');
  for (guint i = 0; i < depth; i++)
    g_string_append (text, close);
  return g_string_free (text, FALSE);
}

static gboolean
passes (const char *text)
{
  g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), 0, NULL);

  return node != NULL;
}

static void
test_depth (void)
{
  static const guint deep[] = { SP_JSON_MAX_DEPTH + 1, 1000, 100000 };
  g_autofree char *lists = nested (SP_JSON_MAX_DEPTH, "[", "]");
  g_autofree char *objects = nested (SP_JSON_MAX_DEPTH, "{\"a\":", "}");

  g_assert_true (passes (lists));
  g_assert_true (passes (objects));
  for (gsize i = 0; i < G_N_ELEMENTS (deep); i++) {
    g_autofree char *bomb = nested (deep[i], "[", "]");
    g_autofree char *other = nested (deep[i], "{\"a\":", "}");
    g_autofree char *unclosed = nested (deep[i], "[", "");

    g_assert_false (passes (bomb));
    g_assert_false (passes (other));
    g_assert_false (passes (unclosed));
  }
}

static void
test_length (void)
{
  g_autofree char *text = g_malloc (SP_JSON_MAX_LENGTH + 2);

  memset (text, ' ', SP_JSON_MAX_LENGTH + 1);
  text[0] = '1';
  g_assert_true (sp_json_check (text, SP_JSON_MAX_LENGTH, NULL));
  g_assert_false (sp_json_check (text, SP_JSON_MAX_LENGTH + 1, NULL));
}

#define WHOLE \
  "{\"a\":[1,-2.5e3,\"x\\u00e4\\ud83d\\ude00\",true,null],\"b\":{\"c\":\"\\\\\",\"d\":{}},\"e\":[" \
  "]}"

static void
test_truncated_at_every_byte (void)
{
  for (gsize length = 0; length < strlen (WHOLE); length++) {
    /* A copy of exactly that size, so that a sanitizer sees a read beyond it. */
    g_autofree char *text = g_memdup2 (WHOLE, length);

    g_assert_false (sp_json_check (text, length, NULL));
  }
  g_assert_true (sp_json_check (WHOLE, strlen (WHOLE), NULL));
}

static void
test_repair (void)
{
  const char *text = "[\"a\xff\"]";
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), SP_JSON_REPAIR_UTF8, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (json_array_get_string_element (json_node_get_array (node), 0), ==,
                   "a\xef\xbf\xbd");
}

/* ---- objects ----------------------------------------------------------------------------------------------- */

static const char *const allowed[] = { "secret", "reason", NULL };

static void
test_object_known_fields (void)
{
  const char *text = "{\"reason\":\"r\",\"secret\":\"s\"}";
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = sp_json_parse_object (text, strlen (text), allowed, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (json_object_get_string_member (object, "reason"), ==, "r");
}

static void
test_object_unknown_field (void)
{
  static const char *const texts[] = { "{\"secret\":\"s\",\"Reason\":\"r\"}", "{\"Reason\":1}",
                                       "{\"\\u0052eason\":1}" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (sp_json_parse_object (texts[i], strlen (texts[i]), allowed, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INVALID);
    g_assert_cmpstr (sp_problem_field (error), ==, "Reason");
  }
}

static void
test_object_no_object (void)
{
  static const char *const texts[] = { "[]", "1", "null", "\"secret\"", "", "{" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (sp_json_parse_object (texts[i], strlen (texts[i]), allowed, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INVALID);
  }
}

static void
test_members_have_types (void)
{
  static const char *const any[] = { "s", "i", "b", "n", NULL };
  const char *text = "{\"s\":\"x\",\"i\":7,\"b\":true,\"n\":null}", *string = "none";
  g_autoptr (JsonObject) object = sp_json_parse_object (text, strlen (text), any, NULL);
  g_autoptr (GError) error = NULL;
  gboolean boolean = FALSE;
  gint64 number = 0;

  g_assert_true (sp_json_get_string (object, "absent", &string, &error));
  g_assert_cmpstr (string, ==, "none");
  g_assert_true (sp_json_get_string (object, "s", &string, &error));
  g_assert_true (sp_json_get_int (object, "i", &number, &error));
  g_assert_true (sp_json_get_bool (object, "b", &boolean, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (string, ==, "x");
  g_assert_cmpint (number, ==, 7);
  g_assert_true (boolean);
  g_assert_false (sp_json_get_string (object, "n", &string, NULL));
  g_assert_false (sp_json_get_int (object, "s", &number, NULL));
  g_assert_false (sp_json_get_bool (object, "i", &boolean, &error));
  g_assert_cmpstr (sp_problem_field (error), ==, "i");
}

static void
test_strings_are_written_as_they_are_read (void)
{
  const char *text = "a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa4\xf0\x9f\x98\x80";
  g_autoptr (GString) out = g_string_new ("[");
  g_autoptr (JsonNode) node = NULL;

  sp_json_append_string (out, text, -1);
  g_string_append_c (out, ']');
  node = sp_json_parse (out->str, out->len, 0, NULL);
  g_assert_nonnull (node);
  g_assert_cmpstr (json_array_get_string_element (json_node_get_array (node), 0), ==, text);
}

/* ---- the secret -------------------------------------------------------------------------------------------- */

typedef struct {
  const char *name;
  const char *text;
  const char *value; /* NULL: there is none */
} Secret;

static const Secret secrets[] = {
  { "plain", "{\"params\":{\"s\":\"aHVudGVyMg==\"}}", "hunter2" },
  { "after-other-members",
    "{\"id\":\"1\",\"x\":[{},[1,\"}\"],{\"s\":\"QQ==\"}],\"params\":{\"n\":-1.5e3,\"o\":{\"s\":"
    "\"QQ==\"},\"s\":\"aHVudGVyMg==\"},\"z\":1}",
    "hunter2" },
  { "keys-escaped", "{\"p\\u0061rams\":{\"\\u0073\":\"aHVudGVyMg==\"}}", "hunter2" },
  { "space", " { \"params\" : { \"s\" : \"aHVudGVyMg==\" } } ", "hunter2" },
  { "space-after-words", "{\"a\":true ,\"b\":null\n,\"params\":{\"c\":{} ,\"s\":\"aHVudGVyMg==\"}}",
    "hunter2" },
  { "empty-value", "{\"params\":{\"s\":\"\"}}", "" },
  { "absent", "{\"params\":{\"t\":\"aHVudGVyMg==\"}}", NULL },
  { "no-params", "{\"id\":\"1\"}", NULL },
  { "no-object", "[\"params\",\"s\"]", NULL },
  { "params-no-object", "{\"params\":[\"s\",\"aHVudGVyMg==\"]}", NULL },
  { "not-a-string", "{\"params\":{\"s\":5}}", NULL },
  { "at-the-top", "{\"s\":\"aHVudGVyMg==\"}", NULL },
  { "deeper", "{\"params\":{\"o\":{\"s\":\"aHVudGVyMg==\"}}}", NULL },
  { "in-a-list", "{\"params\":{\"o\":[\"s\",{\"s\":\"aHVudGVyMg==\"}]}}", NULL },
  { "params-of-something-else", "{\"o\":{\"params\":{\"s\":\"aHVudGVyMg==\"}}}", NULL },
  { "looks-alike-in-a-string",
    "{\"params\":{\"d\":\"\\\"params\\\":{\\\"s\\\":\\\"aHVudGVyMg==\\\"}\"}}", NULL },
  { "value-is-the-name", "{\"params\":{\"d\":\"s\"}}", NULL },
};

static void
test_take_secret (gconstpointer data)
{
  const Secret *sample = data;
  g_autofree char *text = g_strdup (sample->text);
  g_autoptr (SpSecret) secret = NULL;
  g_autoptr (GError) error = NULL;
  gsize length = strlen (text);

  g_assert_true (sp_json_check (text, length, NULL));
  g_assert_true (sp_json_take_secret (text, length, "s", &secret, &error));
  g_assert_no_error (error);
  g_assert_true (sp_json_check (text, length, NULL));
  if (sample->value == NULL) {
    g_assert_null (secret);
    g_assert_cmpstr (text, ==, sample->text);
    return;
  }
  g_assert_nonnull (secret);
  g_assert_cmpmem (sp_secret_data (secret), sp_secret_length (secret), sample->value,
                   strlen (sample->value));
  g_assert_cmpuint (strlen (text), ==, strlen (sample->text));
  g_assert_null (*sample->value ? strstr (text, "aHVudGVyMg==") : NULL);
}

static void
test_take_bad_secret (void)
{
  static const char *const values[] = { "aHVudGVyMg", "aHVudGVyMg=", "not base64!!", "aHVu\\/GVy",
                                        "====" };

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++) {
    g_autofree char *text = g_strdup_printf ("{\"params\":{\"s\":\"%s\"}}", values[i]);
    g_autoptr (SpSecret) secret = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_false (sp_json_take_secret (text, strlen (text), "s", &secret, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INVALID);
    g_assert_cmpstr (sp_problem_field (error), ==, "s");
    g_assert_null (secret);
    g_assert_null (strstr (text, values[i]));
    g_assert_null (strstr (error->message, values[i]));
  }
}

static void
add (const char *folder, const char *name, GTestDataFunc func, gconstpointer data)
{
  g_autofree char *path = g_strconcat (folder, name, NULL);

  g_test_add_data_func (path, data, func);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    add ("/json/refused/", refused[i].name, test_refused, &refused[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (accepted); i++)
    add ("/json/accepted/", accepted[i].name, test_accepted, &accepted[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (secrets); i++)
    add ("/json/secret/", secrets[i].name, test_take_secret, &secrets[i]);
  g_test_add_func ("/json/secret/that-is-no-base64-is-overwritten-too", test_take_bad_secret);
  g_test_add_func ("/json/numbers-keep-their-value", test_numbers);
  g_test_add_func ("/json/integers-at-the-ends", test_integers_at_the_ends);
  g_test_add_func ("/json/escapes-mean-what-they-say", test_escapes_mean_what_they_say);
  g_test_add_func ("/json/depth-is-bounded", test_depth);
  g_test_add_func ("/json/length-is-bounded", test_length);
  g_test_add_func ("/json/truncated-at-every-byte", test_truncated_at_every_byte);
  g_test_add_func ("/json/bad-utf-8-is-repaired-on-request", test_repair);
  g_test_add_func ("/json/object/known-fields", test_object_known_fields);
  g_test_add_func ("/json/object/unknown-field-is-named", test_object_unknown_field);
  g_test_add_func ("/json/object/nothing-else-is-an-object", test_object_no_object);
  g_test_add_func ("/json/object/members-have-types", test_members_have_types);
  g_test_add_func ("/json/strings-are-written-as-they-are-read",
                   test_strings_are_written_as_they_are_read);
  return g_test_run ();
}
