/* test-ready.c - the agent's signal: host/source/ready.h */
#include "host/source/ready.h"

#include <string.h>

#include "base/problem.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IMAGE "\"image\":\"sha256:" HEX "\""

static void
test_json (void)
{
  static const char text[] = "{\"format\":1," IMAGE ",\"port\":3737}\n";
  g_autoptr (GError) error = NULL;
  g_autoptr (SpReady) ready = sp_ready_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  g_assert_cmpint (ready->form, ==, SP_READY_JSON);
  g_assert_cmpstr (ready->image, ==, HEX);
  g_assert_cmpuint (ready->port, ==, 3737);
}

static void
test_plain (void)
{
  static const char *const texts[] = { "READY_FOR_TAKEOVER", "READY_FOR_TAKEOVER\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (SpReady) ready = sp_ready_parse (texts[i], strlen (texts[i]), NULL);

    g_assert_nonnull (ready);
    g_assert_cmpint (ready->form, ==, SP_READY_PLAIN);
    g_assert_null (ready->image);
    g_assert_cmpuint (ready->port, ==, 0);
  }
}

typedef struct {
  const char *name;
  const char *text;
  const char *field; /* NULL: none */
} Wrong;

static const Wrong wrongs[] = {
  { "empty", "", NULL },
  { "blank", " \n", NULL },
  { "other-text", "ready\n", NULL },
  { "plain-with-more", "READY_FOR_TAKEOVER\n\n", NULL },
  { "plain-with-escape", "READY_FOR_TAKEOVER\x1b[2J", NULL },
  { "array", "[1]", NULL },
  { "cut-off", "{\"format\":1," IMAGE, NULL },
  { "two-objects", "{\"format\":1," IMAGE ",\"port\":1}{}", NULL },
  { "twice-the-same", "{\"format\":1,\"format\":1," IMAGE ",\"port\":1}", NULL },
  { "not-utf-8", "{\"format\":1," IMAGE ",\"port\":1,\"\xff\":1}", NULL },
  { "no-format", "{" IMAGE ",\"port\":1}", "format" },
  { "format-2", "{\"format\":2," IMAGE ",\"port\":1}", "format" },
  { "format-text", "{\"format\":\"1\"," IMAGE ",\"port\":1}", "format" },
  { "no-image", "{\"format\":1,\"port\":1}", "image" },
  { "image-null", "{\"format\":1,\"image\":null,\"port\":1}", "image" },
  { "image-without-kind", "{\"format\":1,\"image\":\"" HEX "\",\"port\":1}", "image" },
  { "image-short", "{\"format\":1,\"image\":\"sha256:abc\",\"port\":1}", "image" },
  { "image-long", "{\"format\":1,\"image\":\"sha256:" HEX "0\",\"port\":1}", "image" },
  { "image-path",
    "{\"format\":1,\"image\":\"sha256:../../../../../../../../../../../../../../../../../etc/"
    "shadow000\",\"port\":1}",
    "image" },
  { "no-port", "{\"format\":1," IMAGE "}", "port" },
  { "port-0", "{\"format\":1," IMAGE ",\"port\":0}", "port" },
  { "port-65536", "{\"format\":1," IMAGE ",\"port\":65536}", "port" },
  { "port-negative", "{\"format\":1," IMAGE ",\"port\":-1}", "port" },
  { "port-fraction", "{\"format\":1," IMAGE ",\"port\":80.5}", "port" },
  { "port-text", "{\"format\":1," IMAGE ",\"port\":\"80\"}", "port" },
  { "memory", "{\"format\":1," IMAGE ",\"port\":1,\"memory\":\"64G\"}", "memory" },
  { "arguments", "{\"format\":1," IMAGE ",\"port\":1,\"qemu\":[\"-monitor\"]}", "qemu" },
  { "strange-name", "{\"format\":1," IMAGE ",\"port\":1,\"a\\u001b[2J\\u202eb\":1}", "a[2Jb" },
};

static void
test_wrong (gconstpointer data)
{
  const Wrong *wrong = data;
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_ready_parse (wrong->text, strlen (wrong->text), &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  g_test_message ("%s", error->message);
  g_assert_cmpstr (sp_problem_field (error), ==, wrong->field);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  for (const char *p = error->message; *p != 0; p++)
    g_assert_cmpint ((guchar) *p, >=, 0x20);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ready/json-is-taken", test_json);
  g_test_add_func ("/ready/plain-text-is-a-case-of-its-own", test_plain);
  for (gsize i = 0; i < G_N_ELEMENTS (wrongs); i++) {
    g_autofree char *name = g_strconcat ("/ready/refused/", wrongs[i].name, NULL);

    g_test_add_data_func (name, &wrongs[i], test_wrong);
  }
  return g_test_run ();
}
