/* test-config.c - the config file: what it yields, and every complaint with its line */
#include "base/config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/option.h"
#include "base/problem.h"

/* ---- plugins that do not exist ---------------------------------------------------------------------- */

static const SpOption telegram[] = {
  { .key = "bot-token",
    .type = SP_OPTION_SECRET,
    .flags = SP_OPTION_REQUIRED,
    .help = "the token of the bot" },
  { .key = "api-base", .type = SP_OPTION_URL, .fallback = "https://x.org", .help = "the service" },
};

static const struct {
  const char *kind, *plugin;
  const SpOption *options;
  gsize n_options;
} plugins[] = {
  { "notify", "telegram", telegram, G_N_ELEMENTS (telegram) },
  { "notify", "file", NULL, 0 },
  { "store", "sqlite", NULL, 0 },
};

static gboolean
describe (const char *kind, const char *plugin, const SpOption **ret_options, gsize *ret_n_options,
          gpointer data, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (plugins); i++)
    if (strcmp (plugins[i].kind, kind) == 0 && strcmp (plugins[i].plugin, plugin) == 0) {
      *ret_options = plugins[i].options;
      *ret_n_options = plugins[i].n_options;
      return TRUE;
    }
  g_set_error (error, SP_ERROR,
               strcmp (kind, "vm") == 0 ? SP_ERROR_UNSUPPORTED : SP_ERROR_NOT_FOUND,
               "there is no %s plugin '%s'", kind, plugin);
  return FALSE;
}

static SpConfig *
parse (const char *text, GError **error)
{
  return sp_config_parse ("f", text, strlen (text), describe, NULL, error);
}

/* All complaints about @text are exactly these, one a line. */
static void
assert_complaints (const char *text, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = parse (text, &error);

  g_assert_null (config);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_cmpstr (error->message, ==, expected);
}

/* ---- what is right ---------------------------------------------------------------------------------- */

static const char example[] = "# a comment\n"
                              "[vault default]\n"
                              "vm = qemu\n"
                              "store = sqlite\n"
                              "notify = telegram, file\n"
                              "quorum = 2\n"
                              "listen = [::1]:4000\n"
                              "tls = optional\n"
                              "trust = rebuilt\n"
                              "allow-emulation = yes\n"
                              "master-key = file:/root/key\n"
                              "\n"
                              "[vm qemu]\n"
                              "plugin = qemu\n"
                              "memory = 128M\n"
                              "[notify telegram]\n"
                              "bot-token = file:/etc/token\n"
                              "api-base=https://api.telegram.org\n"
                              "[approver alice]\n"
                              "telegram = 123456789\n"
                              "file = alice\n"
                              "[approver bob]\n"
                              "telegram = 987\n"
                              "[source moltyclaw47]\n"
                              "exec = multipass exec moltyclaw47-vm --\n"
                              "staging = /home/ubuntu/secret-proxy\n";

static void
test_the_whole_example (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = parse (example, &error);
  const SpConfigVault *vault = sp_config_vault (config, NULL, &error);
  const SpConfigSource *source = sp_config_source (config, "moltyclaw47", &error);
  g_autofree char *secrets = NULL;
  g_autofree char *options = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (vault->name, ==, "default");
  g_assert_cmpstr (vault->vm->plugin, ==, "qemu");
  g_assert_cmpstr (vault->store->plugin, ==, "sqlite");
  g_assert_cmpuint (vault->n_notifiers, ==, 2);
  g_assert_cmpstr (vault->notifiers[0]->name, ==, "telegram");
  g_assert_cmpstr (vault->notifiers[1]->name, ==, "file");
  g_assert_null (vault->notifiers[2]);
  g_assert_cmpuint (vault->quorum, ==, 2);
  g_assert_cmpstr (vault->listen_host, ==, "::1");
  g_assert_cmpuint (vault->listen_port, ==, 4000);
  g_assert_false (vault->tls_required);
  g_assert_true (vault->tls_given);
  g_assert_cmpstr (vault->trust, ==, "rebuilt");
  g_assert_true (vault->allow_emulation);
  g_assert_cmpstr (vault->master_key, ==, "file:/root/key");
  secrets = g_variant_print (vault->notifiers[0]->secrets, FALSE);
  options = g_variant_print (vault->notifiers[0]->options, FALSE);
  g_assert_cmpstr (secrets, ==, "{'bot-token': 'file:/etc/token'}");
  g_assert_cmpstr (options, ==, "{'api-base': 'https://api.telegram.org'}");
  g_assert_cmpstr (source->exec, ==, "multipass exec moltyclaw47-vm --");
  g_assert_cmpstr (source->staging, ==, "/home/ubuntu/secret-proxy");
  g_assert_null (source->disk);
  g_assert_cmpstr (sp_config_warnings (config)[0], ==,
                   "f:14: [vm qemu] is not checked: there is no vm plugin 'qemu'");
  g_assert_null (sp_config_warnings (config)[1]);
}

static void
test_where_a_notifier_runs (void)
{
  static const char text[] = "[vault v]\nnotify = here, there\n"
                             "[notify here]\nplugin = file\n"
                             "[notify there]\nplugin = file\nwhere = host\nrun-as = daemon\n"
                             "critical = no\n[approver a]\nhere = a\nthere = a\n";
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = parse (text, &error);
  const SpConfigVault *vault;

  g_assert_no_error (error);
  vault = sp_config_vault (config, NULL, &error);
  g_assert_false (vault->notifiers[0]->on_host);
  g_assert_true (vault->notifiers[0]->critical);
  g_assert_null (vault->notifiers[0]->run_as);
  g_assert_true (vault->notifiers[1]->on_host);
  g_assert_false (vault->notifiers[1]->critical);
  g_assert_cmpstr (vault->notifiers[1]->run_as, ==, "daemon");
  /* The core's own keys are none of the plugin's. */
  g_assert_cmpuint (g_variant_n_children (vault->notifiers[1]->options), ==, 0);
}

static void
test_people_of_a_notifier (void)
{
  g_autoptr (SpConfig) config = parse (example, NULL);
  g_autoptr (GVariant) telegrams = sp_config_people (config, "telegram");
  g_autoptr (GVariant) files = sp_config_people (config, "file");
  g_autofree char *first = g_variant_print (telegrams, FALSE);
  g_autofree char *second = g_variant_print (files, FALSE);

  g_assert_cmpstr (first, ==, "['123456789', '987']");
  g_assert_cmpstr (second, ==, "['alice']");
}

static void
test_defaults (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = parse ("[vault v]\n", &error);
  const SpConfigVault *vault = sp_config_vault (config, "v", &error);

  g_assert_no_error (error);
  g_assert_null (vault->vm);
  g_assert_cmpstr (vault->store->name, ==, "sqlite");
  g_assert_cmpuint (vault->n_notifiers, ==, 0);
  g_assert_cmpuint (vault->quorum, ==, 1);
  g_assert_cmpstr (vault->listen, ==, "127.0.0.1:3737");
  g_assert_cmpstr (vault->listen_host, ==, "127.0.0.1");
  g_assert_cmpuint (vault->listen_port, ==, 3737);
  g_assert_true (vault->tls_required);
  g_assert_false (vault->tls_given);
  g_assert_cmpstr (vault->trust, ==, "exact");
  g_assert_false (vault->allow_emulation);
  g_assert_null (vault->master_key);
  g_assert_null (sp_config_warnings (config)[0]);
  g_assert_null (sp_config_sources (config)[0]);
}

static void
test_a_section_may_name_another_plugin (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = parse ("[vault v]\nnotify = log\n[notify log]\nplugin = file\n"
                                       "[approver a]\nlog = me\n",
                                       &error);
  const SpConfigVault *vault = sp_config_vault (config, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (vault->notifiers[0]->name, ==, "log");
  g_assert_cmpstr (vault->notifiers[0]->plugin, ==, "file");
}

/* What the vault does without may be missing; what it needs must not. */
static void
test_not_critical_may_be_missing (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = parse ("[vault v]\nnotify = log\n[notify log]\nplugin = fiel\n"
                                       "critical = no\ntopic = x\n[approver a]\nlog = me\n",
                                       &error);
  const SpConfigInstance *log;

  g_assert_no_error (error);
  log = sp_config_vault (config, NULL, NULL)->notifiers[0];
  g_assert_false (log->critical);
  g_assert_cmpstr (log->trouble, ==, "there is no notify plugin 'fiel'");
  g_assert_nonnull (strstr (sp_config_warnings (config)[0], "[notify log] is left out"));
  assert_complaints ("[vault v]\nnotify = log\n[notify log]\nplugin = fiel\ncritical = yes\n"
                     "[approver a]\nlog = me\n",
                     "f:4: there is no notify plugin 'fiel'");
}

static void
test_vaults_by_name (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = parse ("[vault default]\n[vault second]\n", &error);

  g_assert_cmpstr (sp_config_vault (config, NULL, &error)->name, ==, "default");
  g_assert_cmpstr (sp_config_vault (config, "second", &error)->name, ==, "second");
  g_assert_null (sp_config_vault (config, "secund", &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND);
  g_assert_cmpstr (error->message, ==,
                   "the config file has no [vault secund]: did you mean 'second'?");
}

/* ---- what is wrong ---------------------------------------------------------------------------------- */

typedef struct {
  const char *name;
  const char *text;
  const char *expected;
} Case;

static const Case cases[] = {
  { "no-vault", "# nothing\n", "f: there is no vault: add a section [vault default]" },
  { "unknown-kind", "[vault v]\n[notfy x]\nkey = 1\n",
    "f:2: there are no sections of the kind 'notfy': did you mean 'notify'?" },
  { "no-name", "[vault v]\n[notify]\n", "f:2: this section has no name: write [notify NAME]" },
  { "the-folder-of-images", "[vault images]\n",
    "f:1: [vault images]: this is the folder of the images: choose another name" },
  { "bad-name", "[vault v]\n[notify ../x]\n",
    "f:2: '../x' is no name: use letters, digits, '.', '_' and '-', at most 64" },
  { "not-a-section", "[vault v]\n[notify x] # hm\nkey = 1\n",
    "f:2: this is no section: write [KIND NAME], and comments on their own line" },
  { "second-section", "[vault v]\ntls = optional\n[vault  v]\n",
    "f:3: [vault v] stands here a second time: the first is in line 1" },
  { "second-key", "[vault v]\ntls = optional\ntls = required\n",
    "f:3: 'tls' is set a second time in [vault v]: the first is in line 2" },
  { "second-key-in-second-section", "[vault v]\nquorum = 1\n[vault v]\nquorum = 1\n",
    "f:3: [vault v] stands here a second time: the first is in line 1\n"
    "f:4: 'quorum' is set a second time in [vault v]: the first is in line 2" },
  { "neither-nor", "[vault v]\nhunter2\n",
    "f:2: this is neither [KIND NAME], nor KEY = VALUE, nor a # comment" },
  { "before-the-first", "tls = optional\n[vault v]\n",
    "f:1: this stands before the first section: add [vault default] above it" },
  { "no-key", "[vault v]\n = x\n", "f:2: what stands before the '=' is no key" },
  { "not-utf-8", "[vault v]\ntls = \xff\n", "f:2: this is not UTF-8 text" },
  { "backslash", "[vault v]\nlisten = \\q\n",
    "f:2: listen: a backslash must be followed by s, n, t, r or another backslash" },
  { "unknown-key", "[vault v]\nnotfy = file\n",
    "f:2: [vault v] has no key 'notfy': did you mean 'notify'?" },
  { "bad-values", "[vault v]\nquorum = none\ntls = maybe\nallow-emulation = 1\n",
    "f:2: quorum: 'none' is no whole number\n"
    "f:3: tls: 'maybe' is none of required, optional\n"
    "f:4: allow-emulation: '1' is neither yes nor no" },
  { "quorum-zero", "[vault v]\nquorum = 0\n", "f:2: quorum: '0' is out of range: 1 to 100" },
  { "listen", "[vault v]\nlisten = localhost:1\n",
    "f:2: listen: 'localhost:1' is no ADDRESS:PORT such as 127.0.0.1:3737 or [::1]:3737" },
  { "listen-port", "[vault v]\nlisten = 127.0.0.1:0\n",
    "f:2: listen: '127.0.0.1:0' is no ADDRESS:PORT such as 127.0.0.1:3737 or [::1]:3737" },
  { "master-key-literal", "[vault v]\nmaster-key = 00ff00ff\n",
    "f:2: master-key: the master key does not belong here: write file:/absolute/path, "
    "systemd-creds:/absolute/path or exec:COMMAND" },
  { "unknown-store", "[vault v]\nstore = sqlit\n",
    "f:2: there is no [store sqlit], and there is no store plugin 'sqlit'" },
  { "dangling-name", "[vault v]\nnotify = pagr\n[notify pager]\nplugin = file\n",
    "f:2: there is no [notify pagr]: did you mean 'pager'?" },
  { "unknown-plugin", "[vault v]\n[notify x]\nplugin = telegrm\n",
    "f:3: there is no notify plugin 'telegrm'" },
  { "twice", "[vault v]\nnotify = file, file\n[approver a]\nfile = a\n",
    "f:2: notify: 'file' stands there twice" },
  { "bare-plugin-needs-more", "[vault v]\nnotify = telegram\n[approver a]\ntelegram = 1\n",
    "f:2: notify 'telegram' does not set 'bot-token': add [notify telegram] with it" },
  { "plugin-options", "[vault v]\n[notify telegram]\nbot-tokn = x\napi-base = http://x.org\n",
    "f:2: [notify telegram] does not set 'bot-token': the token of the bot\n"
    "f:3: [notify telegram] has no key 'bot-tokn': did you mean 'bot-token'?\n"
    "f:4: api-base: an address must start with https:// (http:// only where the host is this "
    "machine)" },
  { "where", "[vault v]\n[notify file]\nwhere = there\n",
    "f:3: where: 'there' is none of vault, host" },
  { "run-as-in-the-vault", "[vault v]\n[notify file]\nrun-as = daemon\n",
    "f:3: run-as: only a plugin with 'where = host' runs as a user of this machine" },
  { "run-as-root", "[vault v]\n[notify file]\nwhere = host\nrun-as = root\n",
    "f:4: run-as: 'root' is root, which no plugin runs as" },
  { "run-as-nobody-known", "[vault v]\n[notify file]\nwhere = host\nrun-as = no-such-user\n",
    "f:4: run-as: there is no user 'no-such-user' on this machine" },
  { "critical", "[vault v]\n[notify file]\ncritical = maybe\n",
    "f:3: critical: 'maybe' is neither yes nor no" },
  { "where-of-a-store", "[vault v]\n[store sqlite]\nwhere = host\n",
    "f:3: [store sqlite] has no key 'where'" },
  { "literal-secret", "[vault v]\n[notify telegram]\nbot-token = 123:hunter2\n",
    "f:3: bot-token: the value of a secret does not belong here: write file:/absolute/path or "
    "credential:NAME" },
  { "no-approver", "[vault v]\nnotify = file\n",
    "f:2: notify: no approver has an id at 'file', so nobody could approve: add 'file = ID' to an "
    "[approver] section" },
  { "approver-of-nothing", "[vault v]\nnotify = file\n[approver a]\nfil = x\nfile = y\n",
    "f:4: there is no notifier 'fil': did you mean 'file'?" },
  { "approver-id", "[vault v]\nnotify = file\n[approver a]\nfile = a\n[approver b]\nfile = x y\n",
    "f:6: file: an id at a notifier is 1 to 128 bytes without spaces" },
  { "one-person-twice",
    "[vault v]\nnotify = file\n[approver a]\nfile = x\n[approver b]\nfile = x\n",
    "f:6: file: this id is approver 'a' already: two approvers must be two people" },
  { "quorum-out-of-reach", "[vault v]\nnotify = file\nquorum = 2\n[approver a]\nfile = x\n",
    "f:3: quorum: 2 approvers must agree, but only 1 can: lower it, or add [approver] sections" },
  { "quorum-of-the-admin", "[vault v]\nquorum = 2\n",
    "f:2: quorum: 2 approvers must agree, but only 1 can: lower it, or add [approver] sections" },
  { "source-without-staging", "[vault v]\n[source s]\nexec = ssh x\n",
    "f:2: [source s] does not set 'staging': the staging folder in the agent VM" },
  { "source-path", "[vault v]\n[source s]\nstaging = home\n",
    "f:3: staging: 'home' is no absolute path" },
};

static void
test_complaint (gconstpointer data)
{
  const Case *one = data;

  assert_complaints (one->text, one->expected);
}

static void
test_all_at_once (void)
{
  assert_complaints ("oops\n"
                     "[vault v]\n"
                     "listen = here\n"
                     "notify = pagr\n"
                     "[notfy x]\n"
                     "[approver a]\n"
                     "pager = 1\n"
                     "[notify pager]\n"
                     "plugin = fil\n",
                     "f:1: this is neither [KIND NAME], nor KEY = VALUE, nor a # comment\n"
                     "f:3: listen: 'here' is no ADDRESS:PORT such as 127.0.0.1:3737 or [::1]:3737\n"
                     "f:4: there is no [notify pagr]: did you mean 'pager'?\n"
                     "f:5: there are no sections of the kind 'notfy': did you mean 'notify'?\n"
                     "f:9: there is no notify plugin 'fil'");
}

static void
test_nothing_secret_is_quoted (void)
{
  static const char *const texts[] = {
    "[vault v]\nhunter2\n", "[vault v]\nhunter 2 = hunter2\n", "[vault v]\nmaster-key = hunter2\n",
    "[vault v]\n[notify telegram]\nbot-token = hunter2\n",
    "[vault v]\n[notify telegram]\napi-base = https://u:hunter2@x/\n"
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (parse (texts[i], &error));
    g_assert_null (strstr (error->message, "hunter2"));
  }
}

/* Bytes of any kind give a config or complaints, never a crash. */
static void
test_any_bytes (void)
{
  static const char pieces[] = "[]=\n\n#\\ vault notify default sqlite \xff\xc3\xa4,:/\t\r";

  for (guint i = 0; i < 20000; i++) {
    char text[64];
    gsize length = (gsize) g_test_rand_int_range (0, sizeof text);
    g_autoptr (GError) error = NULL;
    g_autoptr (SpConfig) config = NULL;

    for (gsize k = 0; k < length; k++)
      text[k] = pieces[g_test_rand_int_range (0, sizeof pieces)];
    config = sp_config_parse ("f", text, length, describe, NULL, &error);
    g_assert_true ((config == NULL) == (error != NULL));
  }
}

/* ---- the file --------------------------------------------------------------------------------------- */

static void
test_the_file_must_be_safe (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sp-config-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "c.conf", NULL);
  g_autofree char *absent = g_strdup_printf (
      "%s: there is no such file: write it, or name another one with --config FILE", path);
  g_autofree char *loose =
      g_strdup_printf ("%s: its mode 0664 lets others change it: run chmod go-w %s", path, path);
  g_autofree char *folder = g_strdup_printf ("%s: this is no regular file", dir);
  g_autoptr (SpConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_config_read (path, describe, NULL, &error));
  g_assert_cmpstr (error->message, ==, absent);
  g_clear_error (&error);
  g_assert_true (g_file_set_contents (path, "[vault v]\n", -1, &error));
  g_assert_cmpint (g_chmod (path, 0664), ==, 0);
  g_assert_null (sp_config_read (path, describe, NULL, &error));
  g_assert_cmpstr (error->message, ==, loose);
  g_clear_error (&error);
  g_assert_null (sp_config_read (dir, describe, NULL, &error));
  g_assert_cmpstr (error->message, ==, folder);
  g_clear_error (&error);
  g_assert_cmpint (g_chmod (path, 0644), ==, 0);
  config = sp_config_read (path, describe, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (config);
  g_unlink (path);
  g_rmdir (dir);
}

static void
test_another_user_s_file (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sp-config-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "c.conf", NULL);
  g_autofree char *expected = g_strdup_printf ("%s: it belongs to user 12345, who could change it: "
                                               "it must belong to root or to user 0",
                                               path);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "[vault v]\n", -1, &error));
  if (chown (path, 12345, (gid_t) -1) != 0) {
    g_test_skip ("only root can give a file away");
  } else {
    g_assert_null (sp_config_read (path, describe, NULL, &error));
    g_assert_cmpstr (error->message, ==, expected);
  }
  g_unlink (path);
  g_rmdir (dir);
}

static void
test_the_tables_are_sound (void)
{
  static const char *const sections[] = { "vault", "source" };

  for (gsize i = 0; i < G_N_ELEMENTS (sections); i++) {
    g_autoptr (GError) error = NULL;
    gsize n;
    const SpOption *options = sp_config_table (sections[i], &n);

    g_assert_true (sp_options_check (options, n, &error));
    g_assert_no_error (error);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/the-whole-example", test_the_whole_example);
  g_test_add_func ("/config/where-a-notifier-runs", test_where_a_notifier_runs);
  g_test_add_func ("/config/people-of-a-notifier", test_people_of_a_notifier);
  g_test_add_func ("/config/defaults", test_defaults);
  g_test_add_func ("/config/a-section-may-name-another-plugin",
                   test_a_section_may_name_another_plugin);
  g_test_add_func ("/config/not-critical-may-be-missing", test_not_critical_may_be_missing);
  g_test_add_func ("/config/vaults-by-name", test_vaults_by_name);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strdup_printf ("/config/complaint/%s", cases[i].name);

    g_test_add_data_func (path, &cases[i], test_complaint);
  }
  g_test_add_func ("/config/all-complaints-at-once", test_all_at_once);
  g_test_add_func ("/config/nothing-secret-is-quoted", test_nothing_secret_is_quoted);
  g_test_add_func ("/config/any-bytes", test_any_bytes);
  g_test_add_func ("/config/the-file-must-be-safe", test_the_file_must_be_safe);
  g_test_add_func ("/config/another-user-s-file-is-refused", test_another_user_s_file);
  g_test_add_func ("/config/its-own-tables-are-sound", test_the_tables_are_sound);
  return g_test_run ();
}
