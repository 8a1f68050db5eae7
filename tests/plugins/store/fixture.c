/* fixture.c - a store in a folder of its own, and short ways to use it */
#include "fixture.h"

#include <glib/gstdio.h>

static const char *
fake_config_string (SpHost *host, const char *key)
{
  g_assert_cmpstr (key, ==, "path");
  return ((Fixture *) host)->configured;
}

static const char *
fake_state_dir (SpHost *host)
{
  return ((Fixture *) host)->folder;
}

static const SpHostApi fake_api = {
  .size = sizeof (SpHostApi),
  .config_string = fake_config_string,
  .state_dir = fake_state_dir,
};

const struct _SpStoreOps *
fixture_ops (void)
{
  return sp_plugin ()->ops;
}

gboolean
fixture_try_open (Fixture *self, GError **error)
{
  const SpPlugin *plugin = sp_plugin ();

  g_assert_null (self->store);
  self->store = plugin->open (&self->host, error);
  if (self->store == NULL)
    return FALSE;
  if (plugin->start == NULL || plugin->start (self->store, NULL, error))
    return TRUE;
  plugin->close (g_steal_pointer (&self->store));
  return FALSE;
}

void
fixture_open (Fixture *self)
{
  g_autoptr (GError) error = NULL;

  fixture_try_open (self, &error);
  g_assert_no_error (error);
}

void
fixture_close (Fixture *self)
{
  if (self->store == NULL)
    return;
  if (sp_plugin ()->stop != NULL)
    sp_plugin ()->stop (self->store);
  sp_plugin ()->close (g_steal_pointer (&self->store));
}

void
fixture_assert_refused (Fixture *self, SpErrorCode code, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (fixture_try_open (self, &error));
  g_assert_error (error, SP_ERROR, (int) code);
  if (strstr (error->message, words) == NULL)
    g_error ("“%s” does not say “%s”", error->message, words);
}

gboolean
fixture_try_put (Fixture *self, const char *key, gint64 expect, GBytes *value, GError **error)
{
  SpWrite write = { "t", key, expect, value };
  SpBatch batch = { &write, 1, 0 };

  return fixture_ops ()->write (self->store, &batch, 1, NULL, error);
}

SpBatchResult
fixture_put (Fixture *self, const char *key, gint64 expect, const char *text)
{
  g_autoptr (GBytes) value = text != NULL ? g_bytes_new (text, strlen (text)) : NULL;
  g_autoptr (GError) error = NULL;
  SpWrite write = { "t", key, expect, value };
  SpBatch batch = { &write, 1, 0 };

  fixture_ops ()->write (self->store, &batch, 1, NULL, &error);
  g_assert_no_error (error);
  return batch.result;
}

void
fixture_assert_row (Fixture *self, const char *key, gint64 revision, const char *text)
{
  g_autoptr (GBytes) value = NULL;
  g_autoptr (GError) error = NULL;
  gint64 got = 0;

  fixture_ops ()->read (self->store, "t", key, &value, &got, NULL, &error);
  if (text == NULL) {
    g_assert_error (error, SP_ERROR, SP_ERROR_NOT_FOUND);
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpint (got, ==, revision);
  g_assert_cmpmem (g_bytes_get_data (value, NULL), g_bytes_get_size (value), text, strlen (text));
}

static gboolean
append_key (const char *key, gint64 revision, GBytes *value, gpointer data)
{
  g_string_append_printf (data, "%s ", key);
  return TRUE;
}

char *
fixture_keys (Fixture *self, const char *table, const char *after)
{
  g_autoptr (GError) error = NULL;
  GString *keys = g_string_new (NULL);

  fixture_ops ()->scan (self->store, table, after, append_key, keys, NULL, &error);
  g_assert_no_error (error);
  return g_string_free (keys, FALSE);
}

static void
set_up (Fixture *self, gconstpointer test)
{
  g_autoptr (GError) error = NULL;

  self->host.api = &fake_api;
  self->folder = g_dir_make_tmp ("sp-store-XXXXXX", &error);
  g_assert_no_error (error);
  self->path = g_build_filename (self->folder, "vault.db", NULL);
}

static void
set_up_open (Fixture *self, gconstpointer test)
{
  set_up (self, test);
  fixture_open (self);
}

static void
tear_down (Fixture *self, gconstpointer test)
{
  g_autoptr (GDir) folder = NULL;
  const char *name;

  fixture_close (self);
  folder = g_dir_open (self->folder, 0, NULL);
  while ((name = g_dir_read_name (folder)) != NULL) {
    g_autofree char *path = g_build_filename (self->folder, name, NULL);

    g_assert_cmpint (g_remove (path), ==, 0);
  }
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->folder);
  g_free (self->path);
}

static void
run_case (Fixture *self, gconstpointer data)
{
  ((const FixtureCase *) data)->test (self);
}

void
fixture_add_cases (const FixtureCase *cases, gsize n_cases)
{
  for (gsize i = 0; i < n_cases; i++) {
    g_autofree char *path = g_strconcat ("/store-", sp_plugin ()->name, "/", cases[i].name, NULL);

    g_test_add (path, Fixture, &cases[i], cases[i].closed ? set_up : set_up_open, run_case,
                tear_down);
  }
}
