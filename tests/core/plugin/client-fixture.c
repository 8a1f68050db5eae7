/* client-fixture.c - client-fixture.h, with GSubprocess in the place of the daemon's parent */
#include "client-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

gboolean
fixture_on_limit (gpointer data)
{
  g_error ("nothing came within %d s", FIXTURE_LIMIT_S);
  return G_SOURCE_REMOVE;
}

/* ---- the keeper's side ------------------------------------------------------------------------------- */

static void
on_process_end (GObject *object, GAsyncResult *result, gpointer data)
{
  Fixture *fixture = data;
  GSubprocess *process = G_SUBPROCESS (object);

  (void) g_subprocess_wait_finish (process, result, NULL);
  fixture->n_exits++;
  fixture->last_status =
      g_subprocess_get_if_exited (process) ? g_subprocess_get_exit_status (process) : -1;
  g_clear_object (&fixture->process);
  if (fixture->client != NULL)
    sp_plugin_client_exited (fixture->client);
}

static void
want_process (SpPluginClient *client, gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  fixture->n_processes++;
  if (fixture->fake) {
    fixture->fake_fd = fds[1];
  } else {
    g_subprocess_launcher_take_fd (launcher, fds[1], 3);
    fixture->process = g_subprocess_launcher_spawn (launcher, &error, program, "--plugin-host",
                                                    fixture->state_dir, NULL);
    g_assert_no_error (error);
    g_subprocess_wait_async (fixture->process, NULL, on_process_end, fixture);
  }
  sp_plugin_client_attach (client, fds[0]);
}

static gboolean
on_fake_exit (gpointer data)
{
  Fixture *fixture = data;

  fixture->fake = FALSE;
  (void) close (fixture->fake_fd);
  fixture->n_exits++;
  sp_plugin_client_exited (fixture->client);
  return G_SOURCE_REMOVE;
}

static void
kill_process (SpPluginClient *client, gpointer data)
{
  Fixture *fixture = data;

  if (fixture->fake)
    g_idle_add (on_fake_exit, fixture);
  else if (fixture->process != NULL)
    g_subprocess_force_exit (fixture->process);
}

static GVariant *
recall (SpPluginClient *client, gpointer data)
{
  Fixture *fixture = data;
  GVariantBuilder all;
  GHashTableIter iter;
  gpointer key, value;

  g_variant_builder_init (&all, G_VARIANT_TYPE ("a{ss}"));
  g_hash_table_iter_init (&iter, fixture->remembered);
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_variant_builder_add (&all, "{ss}", key, value);
  return g_variant_builder_end (&all);
}

static void
remember (SpPluginClient *client, const char *key, const char *value, SpLinkCall *call,
          gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GError) error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_STORE, "the disk is full");

  if (fixture->forgetful) {
    sp_link_call_fail (call, error);
    return;
  }
  if (value != NULL)
    g_hash_table_replace (fixture->remembered, g_strdup (key), g_strdup (value));
  else
    g_hash_table_remove (fixture->remembered, key);
  sp_link_call_reply (call, g_variant_new ("()"), NULL);
}

static void
take_answer (SpPluginClient *client, const char *notice_id, const char *choice_id,
             const char *person, const char *evidence, SpLinkCall *call, gpointer data)
{
  Fixture *fixture = data;

  g_string_append_printf (fixture->answers, "%s %s %s %s;", notice_id, choice_id, person,
                          evidence != NULL ? evidence : "-");
  sp_link_call_reply (call, g_variant_new ("(us)", SP_ANSWER_COUNTED, "one more is needed"), NULL);
}

static void
take_alarm (SpPluginClient *client, const char *what, gpointer data)
{
  Fixture *fixture = data;

  g_ptr_array_add (fixture->alarms, g_strdup (what));
}

static void
take_progress (SpPluginClient *client, const char *what, gpointer data)
{
  Fixture *fixture = data;

  g_ptr_array_add (fixture->progress, g_strdup (what));
}

static void
take_vm_changed (SpPluginClient *client, const char *id, gpointer data)
{
  Fixture *fixture = data;

  g_ptr_array_add (fixture->changed, g_strdup (id));
}

static const SpPluginEvents events = { .want_process = want_process,
                                       .kill_process = kill_process,
                                       .recall = recall,
                                       .remember = remember,
                                       .answer = take_answer,
                                       .alarm = take_alarm,
                                       .progress = take_progress,
                                       .vm_changed = take_vm_changed };

static GVariant *
parse (const char *type, const char *text)
{
  return g_variant_parse (G_VARIANT_TYPE (type), text, NULL, NULL, NULL);
}

static SpKind
kind_of (const char *file)
{
  if (g_str_has_prefix (file, "vm-"))
    return SP_KIND_VM;
  return g_str_has_prefix (file, "store-") ? SP_KIND_STORE : SP_KIND_NOTIFIER;
}

/* @file: "notify-honest.so" */
void
fixture_setup (Fixture *fixture, const char *file, const char *options, const char *secrets)
{
  g_autofree char *path = g_build_filename (g_getenv ("SP_TEST_PLUGINS"), file, NULL);
  const SpPluginSetup plugin = {
    .kind = kind_of (file),
    .instance = "test",
    .path = path,
    .options = parse ("a{ss}", options),
    .secrets = parse ("a{say}", secrets),
    .people = parse ("as", "['42', '43']"),
  };

  fixture->state_dir = g_dir_make_tmp ("sp-client-XXXXXX", NULL);
  fixture->remembered = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  fixture->alarms = g_ptr_array_new_with_free_func (g_free);
  fixture->progress = g_ptr_array_new_with_free_func (g_free);
  fixture->changed = g_ptr_array_new_with_free_func (g_free);
  fixture->answers = g_string_new (NULL);
  fixture->client = sp_plugin_client_new (&plugin, &events, fixture);
}

void
fixture_setup_plain (Fixture *fixture, const char *file)
{
  fixture_setup (fixture, file, "{}", "{}");
}

void
fixture_wait_ready (Fixture *fixture)
{
  WAIT_UNTIL (sp_plugin_client_state (fixture->client) == SP_PLUGIN_READY);
}

void
fixture_teardown (Fixture *fixture)
{
  static const char *const folders[] = { "notify-test", "store-test", "vm-test" };

  g_clear_pointer (&fixture->client, sp_plugin_client_free);
  WAIT_UNTIL (fixture->process == NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *folder = g_build_filename (fixture->state_dir, folders[i], NULL);

    g_rmdir (folder);
  }
  g_assert_cmpint (g_rmdir (fixture->state_dir), ==, 0);
  g_free (fixture->state_dir);
  g_hash_table_unref (fixture->remembered);
  g_ptr_array_unref (fixture->alarms);
  g_ptr_array_unref (fixture->progress);
  g_ptr_array_unref (fixture->changed);
  g_string_free (fixture->answers, TRUE);
}

/* ---- calls and their results ------------------------------------------------------------------------- */

void
fixture_on_done (const GError *error, gpointer data)
{
  Result *result = data;

  result->n_done++;
  result->error = error != NULL ? g_error_copy (error) : NULL;
}

void
fixture_start_post (Fixture *fixture, const char *title, gboolean with_choices, Result *result)
{
  const SpField fields[] = { { "Agent", "molty", SP_FIELD_AGENT } };
  const SpChoice choices[] = { { "yes", "Approve", SP_CHOICE_APPROVE } };
  const SpNotice notice = { .size = sizeof notice,
                            .id = "n1",
                            .title = title,
                            .fields = fields,
                            .n_fields = with_choices ? 1 : 0,
                            .choices = choices,
                            .n_choices = with_choices ? 1 : 0 };

  *result = (Result){ 0 };
  sp_plugin_client_post (fixture->client, &notice, fixture_on_done, result);
  g_assert_cmpuint (result->n_done, ==, 0);
}

char *
fixture_post (Fixture *fixture, const char *title, gboolean with_choices)
{
  Result result;
  char *message;

  fixture_start_post (fixture, title, with_choices, &result);
  WAIT_UNTIL (result.n_done > 0);
  message = result.error != NULL ? g_strdup (result.error->message) : NULL;
  g_clear_error (&result.error);
  return message;
}

const char *
fixture_alarm (const Fixture *fixture, guint i)
{
  return i < fixture->alarms->len ? g_ptr_array_index (fixture->alarms, i) : NULL;
}

gboolean
fixture_main (int argc, char **argv, int *ret_status)
{
  if (argc != 3 || strcmp (argv[1], "--plugin-host") != 0)
    return FALSE;
  *ret_status = sp_plugin_host_run (3, argv[2], -1);
  return TRUE;
}
