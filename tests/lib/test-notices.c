/* test-notices.c - the notifiers' half of test-ports.h: it shows nothing and remembers everything */
#include <string.h>

#include "test-ports-private.h"

typedef struct {
  SpPluginDone done;
  gpointer data;
  gboolean settling;
} NoticeCall;

static void
notice_free (gpointer data)
{
  TestNotice *notice = data;

  g_free (notice->notifier);
  g_free (notice->id);
  g_free (notice->title);
  g_free (notice->text);
  g_ptr_array_unref (notice->fields);
  g_ptr_array_unref (notice->choices);
  g_free (notice);
}

GPtrArray *
test_notices_new (void)
{
  return g_ptr_array_new_with_free_func (notice_free);
}

static TestNotice *
record (TestPorts *ports, const char *notifier, const SpNotice *from)
{
  TestNotice *notice = g_new0 (TestNotice, 1);

  g_assert_true (from->size == sizeof *from);
  notice->notifier = g_strdup (notifier);
  notice->id = g_strdup (from->id);
  notice->title = g_strdup (from->title);
  notice->expires_at = from->expires_at;
  notice->fields = g_ptr_array_new_with_free_func (g_free);
  notice->choices = g_ptr_array_new_with_free_func (g_free);
  for (gsize i = 0; i < from->n_fields; i++)
    g_ptr_array_add (notice->fields,
                     g_strdup_printf ("%s|%u|%s", from->fields[i].label, from->fields[i].origin,
                                      from->fields[i].value));
  for (gsize i = 0; i < from->n_choices; i++)
    g_ptr_array_add (notice->choices,
                     g_strdup_printf ("%s|%u|%s", from->choices[i].id, from->choices[i].style,
                                      from->choices[i].label));
  g_ptr_array_add (ports->notices, notice);
  return notice;
}

static void
run_notice (TestPorts *ports, gpointer data)
{
  g_autofree NoticeCall *call = data;
  g_autoptr (GError) error = NULL;

  guint *left =
      ports->fail_notices > 0 || !call->settling ? &ports->fail_notices : &ports->fail_settles;

  if (*left > 0) {
    (*left)--;
    error = g_error_new_literal (SP_ERROR, (gint) ports->notice_error, "a notifier's trouble");
  }
  call->done (error, call->data);
}

static void
queue_notice (TestPorts *ports, gboolean settling, SpPluginDone done, gpointer data)
{
  NoticeCall *call = g_new0 (NoticeCall, 1);

  call->settling = settling;
  call->done = done;
  call->data = data;
  test_ports_queue (ports, run_notice, call, FALSE);
}

void
test_ports_post (gpointer port, const char *notifier, const SpNotice *notice, SpPluginDone done,
                 gpointer data)
{
  (void) record (port, notifier, notice);
  queue_notice (port, FALSE, done, data);
}

void
test_ports_settle (gpointer port, const char *notifier, const SpNotice *notice,
                   const SpOutcome *outcome, SpPluginDone done, gpointer data)
{
  TestNotice *recorded = record (port, notifier, notice);

  recorded->settled = TRUE;
  recorded->outcome = outcome->kind;
  recorded->text = g_strdup (outcome->text);
  queue_notice (port, TRUE, done, data);
}

gboolean
test_ports_usable (gpointer port, const char *notifier)
{
  const TestPorts *ports = port;

  return ports->usable && g_strcmp0 (ports->unusable, notifier) != 0;
}

/* ---- looking --------------------------------------------------------------------------------------------- */

guint
test_ports_n_notices (TestPorts *ports, gboolean settled)
{
  guint n = 0;

  for (guint i = 0; i < ports->notices->len; i++)
    n += ((const TestNotice *) g_ptr_array_index (ports->notices, i))->settled == settled;
  return n;
}

const TestNotice *
test_ports_notice (TestPorts *ports, gboolean settled, int n)
{
  guint count = test_ports_n_notices (ports, settled);
  guint wanted = n < 0 ? count - 1 : (guint) n;

  for (guint i = 0, at = 0; i < ports->notices->len; i++) {
    const TestNotice *notice = g_ptr_array_index (ports->notices, i);

    if (notice->settled == settled && at++ == wanted)
      return notice;
  }
  return NULL;
}

static gboolean
is_of (const TestNotice *notice, const char *notifier, const char *title, gboolean settled)
{
  return notice->settled == settled && g_str_equal (notice->notifier, notifier) &&
         g_str_equal (notice->title, title);
}

const TestNotice *
test_ports_last (TestPorts *ports, const char *notifier, const char *title, gboolean settled)
{
  for (guint i = ports->notices->len; i > 0; i--) {
    const TestNotice *notice = g_ptr_array_index (ports->notices, i - 1);

    if (is_of (notice, notifier, title, settled))
      return notice;
  }
  return NULL;
}

guint
test_ports_n (TestPorts *ports, const char *notifier, const char *title, gboolean settled)
{
  guint n = 0;

  for (guint i = 0; i < ports->notices->len; i++)
    n += is_of (g_ptr_array_index (ports->notices, i), notifier, title, settled);
  return n;
}

const char *
test_notice_field (const TestNotice *notice, const char *label, guint *ret_origin)
{
  g_autofree char *prefix = g_strconcat (label, "|", NULL);

  for (guint i = 0; i < notice->fields->len; i++) {
    const char *field = g_ptr_array_index (notice->fields, i);

    if (!g_str_has_prefix (field, prefix))
      continue;
    if (ret_origin != NULL)
      *ret_origin = (guint) g_ascii_strtoull (field + strlen (prefix), NULL, 10);
    return strchr (field + strlen (prefix), '|') + 1;
  }
  return NULL;
}

gboolean
test_notice_offers (const TestNotice *notice, const char *choice)
{
  g_autofree char *prefix = g_strconcat (choice, "|", NULL);

  for (guint i = 0; i < notice->choices->len; i++)
    if (g_str_has_prefix (g_ptr_array_index (notice->choices, i), prefix))
      return TRUE;
  return FALSE;
}
