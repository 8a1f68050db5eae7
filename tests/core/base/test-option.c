/* test-option.c - tables of options, values by type, secrets, nearest names, printing */
#include "base/option.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"

/* @error is exactly this, and of the config kind.  Clears it. */
static void
assert_error (GError **error, const char *message)
{
  g_assert_error (*error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_cmpstr ((*error)->message, ==, message);
  g_clear_error (error);
}

/* ---- tables ----------------------------------------------------------------------------------------- */

static void
test_sound_table (void)
{
  const SpOption options[] = {
    { .key = "bot-token", .type = SP_OPTION_SECRET, .flags = SP_OPTION_REQUIRED, .help = "token" },
    { .key = "every",
      .type = SP_OPTION_DURATION,
      .fallback = "2s",
      .min = 1000,
      .max = 9000,
      .help = "how often" },
    { .key = "names",
      .type = SP_OPTION_STRING,
      .flags = SP_OPTION_LIST,
      .fallback = "a, b",
      .help = "URL or name" },
    { .key = "mode",
      .type = SP_OPTION_CHOICE,
      .choices = "tap|code",
      .fallback = "tap",
      .help = "how" },
  };
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_options_check (options, G_N_ELEMENTS (options), &error));
  g_assert_no_error (error);
  g_assert_true (sp_options_check (NULL, 0, &error));
  g_assert_true (sp_options_find (options, G_N_ELEMENTS (options), "every") == &options[1]);
  g_assert_null (sp_options_find (options, G_N_ELEMENTS (options), "eve"));
}

static void
test_unsound_tables (void)
{
#define KEY "option 1: its key is not in lower case with dashes"
  static const struct {
    SpOption option;
    const char *message;
  } cases[] = {
    { { .key = NULL, .type = SP_OPTION_STRING, .help = "x" }, KEY },
    { { .key = "Upper", .type = SP_OPTION_STRING, .help = "x" }, KEY },
    { { .key = "two--dashes", .type = SP_OPTION_STRING, .help = "x" }, KEY },
    { { .key = "under_score", .type = SP_OPTION_STRING, .help = "x" }, KEY },
    { { .key = "plugin", .type = SP_OPTION_STRING, .help = "x" },
      "option 'plugin': this key is the core's own in every section" },
    { { .key = "k", .type = 99, .help = "x" },
      "option 'k': its type is not known to this version" },
    { { .key = "k", .type = SP_OPTION_INT, .flags = 1 << 9, .help = "x" },
      "option 'k': it has a flag that is not known to this version" },
    { { .key = "k", .type = SP_OPTION_SECRET, .flags = SP_OPTION_LIST, .help = "x" },
      "option 'k': a secret can't be a list" },
    { { .key = "k", .type = SP_OPTION_SECRET, .fallback = "file:/x", .help = "x" },
      "option 'k': a secret can't have a default" },
    { { .key = "k",
        .type = SP_OPTION_INT,
        .flags = SP_OPTION_REQUIRED,
        .fallback = "1",
        .help = "x" },
      "option 'k': it is required and has a default" },
    { { .key = "k", .type = SP_OPTION_INT, .fallback = "x1", .help = "x" },
      "option 'k': its default: 'x1' is no whole number" },
    { { .key = "k", .type = SP_OPTION_INT, .fallback = "11", .min = 1, .max = 10, .help = "x" },
      "option 'k': its default: '11' is out of range: 1 to 10" },
    { { .key = "k", .type = SP_OPTION_INT, .min = 3, .max = 2, .help = "x" },
      "option 'k': its limits are the wrong way round" },
    { { .key = "k", .type = SP_OPTION_STRING, .min = 1, .max = 2, .help = "x" },
      "option 'k': it has limits and is no number" },
    { { .key = "k", .type = SP_OPTION_CHOICE, .help = "x" }, "option 'k': it has no choices" },
    { { .key = "k", .type = SP_OPTION_CHOICE, .choices = "a||b", .help = "x" },
      "option 'k': its choices are not of the form a|b|c" },
    { { .key = "k", .type = SP_OPTION_STRING, .choices = "a|b", .help = "x" },
      "option 'k': it has choices and is no choice" },
    { { .key = "k", .type = SP_OPTION_STRING }, "option 'k': has no help" },
    { { .key = "k", .type = SP_OPTION_STRING, .help = "Capital" },
      "option 'k': its help starts with a capital letter" },
    { { .key = "k", .type = SP_OPTION_STRING, .help = "a stop." },
      "option 'k': its help ends with a full stop" },
    { { .key = "k", .type = SP_OPTION_STRING, .help = "two\nlines" },
      "option 'k': its help is not one line of at most 200 bytes" },
  };
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_assert_false (sp_options_check (&cases[i].option, 1, &error));
    assert_error (&error, cases[i].message);
  }
}

static void
test_equal_keys (void)
{
  const SpOption options[] = { { .key = "k", .type = SP_OPTION_STRING, .help = "x" },
                               { .key = "k", .type = SP_OPTION_INT, .help = "x" } };
  g_autoptr (GError) error = NULL;

  g_assert_false (sp_options_check (options, 2, &error));
  assert_error (&error, "two options are named 'k'");
}

/* ---- values ----------------------------------------------------------------------------------------- */

typedef struct {
  guint32 type;
  const char *text;
  gint64 number;
  const char *message; /* NULL: fine */
} ValueCase;

#define URL_SCHEME \
  "an address must start with https:// (http:// only where the host is this machine)"
#define URL_SHAPE "this is no address such as https://host/path"

static const ValueCase values[] = {
  { SP_OPTION_STRING, "anything at all", 0, NULL },
  { SP_OPTION_BOOL, "yes", 1, NULL },
  { SP_OPTION_BOOL, "no", 0, NULL },
  { SP_OPTION_BOOL, "true", 0, "'true' is neither yes nor no" },
  { SP_OPTION_INT, "-17", -17, NULL },
  { SP_OPTION_INT, "9223372036854775807", G_MAXINT64, NULL },
  { SP_OPTION_INT, "9223372036854775808", 0, "'9223372036854775808' is no whole number" },
  { SP_OPTION_INT, "1.5", 0, "'1.5' is no whole number" },
  { SP_OPTION_INT, "", 0, "'' is no whole number" },
  { SP_OPTION_DURATION, "500ms", 500, NULL },
  { SP_OPTION_DURATION, "90s", 90000, NULL },
  { SP_OPTION_DURATION, "15m", 900000, NULL },
  { SP_OPTION_DURATION, "2h", 7200000, NULL },
  { SP_OPTION_DURATION, "1d", 86400000, NULL },
  { SP_OPTION_DURATION, "90", 0, "'90' is no duration such as 500ms, 90s, 15m, 2h or 1d" },
  { SP_OPTION_DURATION, "-1s", 0, "'-1s' is no duration such as 500ms, 90s, 15m, 2h or 1d" },
  { SP_OPTION_DURATION, "1 s", 0, "'1 s' is no duration such as 500ms, 90s, 15m, 2h or 1d" },
  { SP_OPTION_DURATION, "999999999999999999d", 0,
    "'999999999999999999d' is no duration such as 500ms, 90s, 15m, 2h or 1d" },
  { SP_OPTION_SIZE, "4096", 4096, NULL },
  { SP_OPTION_SIZE, "128M", 134217728, NULL },
  { SP_OPTION_SIZE, "1T", G_GINT64_CONSTANT (1099511627776), NULL },
  { SP_OPTION_SIZE, "12Q", 0, "'12Q' is no size such as 4096, 64K, 128M or 2G" },
  { SP_OPTION_PATH, "/etc/x", 0, NULL },
  { SP_OPTION_PATH, "etc/x", 0, "'etc/x' is no absolute path" },
  { SP_OPTION_URL, "https://api.telegram.org", 0, NULL },
  { SP_OPTION_URL, "http://127.0.0.1:8080/x", 0, NULL },
  { SP_OPTION_URL, "http://[::1]/x", 0, NULL },
  { SP_OPTION_URL, "http://localhost", 0, NULL },
  { SP_OPTION_URL, "http://example.org", 0, URL_SCHEME },
  { SP_OPTION_URL, "http://127.0.0.1.example.org", 0, URL_SCHEME },
  { SP_OPTION_URL, "ftp://localhost", 0, URL_SCHEME },
  { SP_OPTION_URL, "https://user:hunter2@host/", 0,
    "an address must not hold a user name or password: remove all up to the '@'" },
  { SP_OPTION_URL, "https://host/#x", 0, "an address must not hold a '#'" },
  { SP_OPTION_URL, "https://", 0, URL_SHAPE },
  { SP_OPTION_URL, "https://a b", 0, URL_SHAPE },
  { SP_OPTION_URL, "nonsense", 0, URL_SHAPE },
  { SP_OPTION_CHOICE, "code", 0, NULL },
  { SP_OPTION_CHOICE, "cde", 0, "'cde' is none of tap, code: did you mean 'code'?" },
  { SP_OPTION_CHOICE, "finger", 0, "'finger' is none of tap, code" },
  { SP_OPTION_SECRET, "file:/run/token", 0, NULL },
  { SP_OPTION_SECRET, "credential:token", 0, NULL },
};

static void
test_values (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (values); i++) {
    const SpOption option = { .key = "k",
                              .type = values[i].type,
                              .choices = values[i].type == SP_OPTION_CHOICE ? "tap|code" : NULL,
                              .help = "x" };
    g_autoptr (GError) error = NULL;
    g_autoptr (SpOptionValue) value = sp_option_parse (&option, values[i].text, &error);

    if (values[i].message != NULL) {
      g_assert_null (value);
      assert_error (&error, values[i].message);
      continue;
    }
    g_assert_no_error (error);
    g_assert_cmpstr (value->text, ==, values[i].text);
    g_assert_cmpint (value->number, ==, values[i].number);
    g_assert_cmpuint (g_strv_length (value->list), ==, 1);
  }
}

static void
test_limits_in_the_option_s_unit (void)
{
  const SpOption every = { .key = "k", .type = SP_OPTION_DURATION, .min = 1000, .max = 3600000 };
  const SpOption size = { .key = "k", .type = SP_OPTION_SIZE, .min = 1 << 20, .max = 1 << 30 };
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_option_parse (&every, "500ms", &error));
  assert_error (&error, "'500ms' is out of range: 1s to 1h");
  g_assert_null (sp_option_parse (&size, "4G", &error));
  assert_error (&error, "'4G' is out of range: 1M to 1G");
}

static void
test_lists (void)
{
  const SpOption option = { .key = "k", .type = SP_OPTION_INT, .flags = SP_OPTION_LIST };
  g_autoptr (GError) error = NULL;
  g_autoptr (SpOptionValue) three = sp_option_parse (&option, " 1 , 2,3 ", &error);
  g_autoptr (SpOptionValue) none = sp_option_parse (&option, "", &error);

  g_assert_cmpuint (g_strv_length (three->list), ==, 3);
  g_assert_cmpstr (three->list[1], ==, "2");
  g_assert_cmpint (three->number, ==, 1);
  g_assert_cmpuint (g_strv_length (none->list), ==, 0);
  g_assert_null (sp_option_parse (&option, "1,,2", &error));
  assert_error (&error, "the list has an empty element: separate elements by one comma");
  g_assert_null (sp_option_parse (&option, "1,x", &error));
  assert_error (&error, "'x' is no whole number");
}

static void
test_quotes_are_harmless (void)
{
  const SpOption option = { .key = "k", .type = SP_OPTION_INT };
  g_autofree char *lengthy = g_strnfill (500, 'x');
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_option_parse (&option, "a\033[2Jb\xff", &error));
  g_assert_null (strchr (error->message, '\033'));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_clear_error (&error);
  g_assert_null (sp_option_parse (&option, lengthy, &error));
  g_assert_cmpuint (strlen (error->message), <, 120);
}

/* ---- secrets ---------------------------------------------------------------------------------------- */

static void
test_a_literal_secret_is_not_echoed (void)
{
  static const char *const texts[] = { "hunter2", "file:hunter2", "credential:hunter2/../x",
                                       "File:/hunter2" };
  const SpOption option = { .key = "token", .type = SP_OPTION_SECRET };
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_option_parse (&option, "123:ABC", &error));
  assert_error (&error, "the value of a secret does not belong here: write file:/absolute/path or "
                        "credential:NAME");
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_assert_null (sp_option_parse (&option, texts[i], &error));
    g_assert_null (strstr (error->message, "hunter2"));
    g_clear_error (&error);
  }
}

static void
test_secrets_are_read_from_closed_files (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sp-option-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "token", NULL);
  g_autofree char *text = g_strdup_printf ("file:%s", path);
  g_autofree char *open_to_all = g_strdup_printf (
      "%s has mode 0644, so that others can reach it: run chmod 0600 %s", path, path);
  g_autofree char *empty = g_strdup_printf ("%s is empty", path);
  g_autoptr (SpSecret) secret = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents_full (path, "hunter2\n", -1, G_FILE_SET_CONTENTS_CONSISTENT,
                                           0600, &error));
  secret = sp_secret_fetch (text, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (sp_secret_data (secret), sp_secret_length (secret), "hunter2", 7);
  g_assert_cmpint (g_chmod (path, 0644), ==, 0);
  g_assert_null (sp_secret_fetch (text, &error));
  assert_error (&error, open_to_all);
  g_assert_true (
      g_file_set_contents_full (path, "\n", -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error));
  g_assert_cmpint (g_chmod (path, 0600), ==, 0);
  g_assert_null (sp_secret_fetch (text, &error));
  assert_error (&error, empty);
  g_setenv ("CREDENTIALS_DIRECTORY", dir, TRUE);
  g_assert_true (
      g_file_set_contents_full (path, "abc", -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error));
  g_clear_pointer (&secret, sp_secret_unref);
  secret = sp_secret_fetch ("credential:token", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (sp_secret_length (secret), ==, 3);
  g_unsetenv ("CREDENTIALS_DIRECTORY");
  g_assert_null (sp_secret_fetch ("credential:token", &error));
  assert_error (&error,
                "there is no credential 'token': $CREDENTIALS_DIRECTORY is not set; run this "
                "from a systemd unit with LoadCredential=");
  g_unlink (path);
  g_assert_null (sp_secret_fetch (text, &error));
  g_assert_true (g_str_has_suffix (error->message, "No such file or directory"));
  g_rmdir (dir);
}

/* ---- sets ------------------------------------------------------------------------------------------- */

static const SpOption set[] = {
  { .key = "name", .type = SP_OPTION_STRING, .flags = SP_OPTION_REQUIRED, .help = "a name" },
  { .key = "every", .type = SP_OPTION_DURATION, .fallback = "2s", .help = "how often" },
  { .key = "maybe", .type = SP_OPTION_INT, .help = "a number" },
  { .key = "token", .type = SP_OPTION_SECRET, .flags = SP_OPTION_REQUIRED, .help = "a token" },
};

static GHashTable *
resolve (const char *text, GError **error)
{
  g_autoptr (GVariant) given =
      g_variant_ref_sink (g_variant_parse (G_VARIANT_TYPE ("a{ss}"), text, NULL, NULL, NULL));

  return sp_options_resolve (set, G_N_ELEMENTS (set), given, error);
}

static void
test_a_set_gets_its_defaults (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) table = resolve ("{'name': 'x'}", &error);
  const SpOptionValue *every;

  g_assert_no_error (error);
  every = g_hash_table_lookup (table, "every");
  g_assert_cmpint (every->number, ==, 2000);
  g_assert_null (g_hash_table_lookup (table, "maybe"));
  g_assert_null (resolve ("{}", &error));
  assert_error (&error, "option 'name' is not set");
  g_assert_null (resolve ("{'name': 'x', 'nam': 'y'}", &error));
  assert_error (&error, "there is no option 'nam'");
  g_assert_null (resolve ("{'name': 'x', 'every': 'often'}", &error));
  assert_error (&error, "option 'every': 'often' is no duration such as 500ms, 90s, 15m, 2h or 1d");
}

/* ---- names ------------------------------------------------------------------------------------------ */

static void
test_nearest_name (void)
{
  const char *const names[] = { "telegram", "file", "exec", "desktop", NULL };
  g_autofree char *hint = sp_did_you_mean ("telegrm", names);
  g_autofree char *none = sp_did_you_mean ("quux", names);

  g_assert_cmpstr (sp_nearest ("telegrma", names), ==, "telegram");
  g_assert_cmpstr (sp_nearest ("fil", names), ==, "file");
  g_assert_cmpstr (sp_nearest ("exce", names), ==, "exec");
  g_assert_null (sp_nearest ("x", names));
  g_assert_null (sp_nearest ("", names));
  g_assert_null (sp_nearest ("telegram", NULL));
  g_assert_cmpstr (hint, ==, ": did you mean 'telegram'?");
  g_assert_cmpstr (none, ==, "");
}

static void
test_names_are_safe_as_file_names (void)
{
  g_assert_true (sp_is_name ("moltyclaw47"));
  g_assert_true (sp_is_name ("a.b_c-d"));
  g_assert_false (sp_is_name (""));
  g_assert_false (sp_is_name (".."));
  g_assert_false (sp_is_name ("a/b"));
  g_assert_false (sp_is_name ("-a"));
  g_assert_false (sp_is_name ("a b"));
}

/* ---- printing --------------------------------------------------------------------------------------- */

static void
test_printing (void)
{
  const SpOption options[] = {
    { .key = "mode",
      .type = SP_OPTION_CHOICE,
      .choices = "a|b",
      .fallback = "a",
      .help = "the \"mode\"" },
    { .key = "n",
      .type = SP_OPTION_INT,
      .flags = SP_OPTION_REQUIRED | SP_OPTION_LIST,
      .min = 1,
      .max = 9,
      .help = "a | b" },
  };
  g_autofree char *text = sp_options_to_text (options, 2);
  g_autofree char *markdown = sp_options_to_markdown (options, 2);
  g_autofree char *json = sp_options_to_json (options, 2);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (text, ==,
                   "  mode  (choice (a, b), default a)\n      the \"mode\"\n"
                   "  n  (int, several separated by commas, required)\n      a | b\n");
  g_assert_cmpstr (markdown, ==,
                   "| Option | Type | Default | Meaning |\n| --- | --- | --- | --- |\n"
                   "| `mode` | `a`, `b` | `a` | the \"mode\" |\n"
                   "| `n` | int list | required | a \\| b |\n");
  g_assert_cmpstr (json, ==,
                   "[{\"key\":\"mode\",\"type\":\"choice\",\"list\":false,\"required\":false,"
                   "\"default\":\"a\",\"choices\":[\"a\",\"b\"],\"min\":null,\"max\":null,"
                   "\"help\":\"the \\\"mode\\\"\"},"
                   "{\"key\":\"n\",\"type\":\"int\",\"list\":true,\"required\":true,"
                   "\"default\":null,\"choices\":null,\"min\":1,\"max\":9,\"help\":\"a | b\"}]");
  g_assert_true (sp_json_check (json, strlen (json), &error));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/option/table/sound", test_sound_table);
  g_test_add_func ("/option/table/each-fault-has-its-sentence", test_unsound_tables);
  g_test_add_func ("/option/table/keys-are-unique", test_equal_keys);
  g_test_add_func ("/option/value/by-type", test_values);
  g_test_add_func ("/option/value/limits-in-its-unit", test_limits_in_the_option_s_unit);
  g_test_add_func ("/option/value/lists", test_lists);
  g_test_add_func ("/option/value/quotes-are-harmless", test_quotes_are_harmless);
  g_test_add_func ("/option/secret/a-literal-is-not-echoed", test_a_literal_secret_is_not_echoed);
  g_test_add_func ("/option/secret/read-from-closed-files",
                   test_secrets_are_read_from_closed_files);
  g_test_add_func ("/option/set/gets-its-defaults", test_a_set_gets_its_defaults);
  g_test_add_func ("/option/name/nearest", test_nearest_name);
  g_test_add_func ("/option/name/safe-as-file-name", test_names_are_safe_as_file_names);
  g_test_add_func ("/option/print", test_printing);
  return g_test_run ();
}
