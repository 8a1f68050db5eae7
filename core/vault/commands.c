/* commands.c - what approvers ask of the vault itself, through a notifier
 *
 * What must stay true: only listed people are answered; an answer is text of ours and of the
 * administrator's, never of an agent, and bounded; each is in the audit log before it is given.
 */
#include "base/text.h"
#include "sp-build.h"
#include "vault/vault-private.h"

#define MAX_LINES 20u
#define A_MINUTE 30u /* reading commands, of all together */

typedef struct {
  char *text;
  SpAnswerDone done;
  gpointer data;
} CommandOp;

/* ---- texts ------------------------------------------------------------------------------------------------- */

static char *
span_text (gint64 ms)
{
  gint64 seconds = MAX (ms, 0) / 1000;

  if (seconds < 120)
    return g_strdup_printf ("%" G_GINT64_FORMAT " s", seconds);
  if (seconds < 2 * 3600)
    return g_strdup_printf ("%" G_GINT64_FORMAT " min", seconds / 60);
  if (seconds < 2 * 86400)
    return g_strdup_printf ("%" G_GINT64_FORMAT " h", seconds / 3600);
  return g_strdup_printf ("%" G_GINT64_FORMAT " d", seconds / 86400);
}

static gboolean
is_pending (SpVault *vault, const SpRequest *request)
{
  return request->status == SP_REQUEST_PENDING && !request->fresh &&
         sp_deadline_left_ms (&request->deadline, vault->clock) > 0;
}

static guint
count (SpVault *vault, gboolean (*wanted) (SpVault *, const SpRequest *))
{
  guint n = 0;

  for (guint i = 0; i < vault->live->len; i++)
    n += wanted (vault, g_ptr_array_index (vault->live, i)) != 0;
  return n;
}

static void
append_lock (GString *text, SpVault *vault)
{
  g_autofree char *since = NULL;

  if (vault->lock.by == NULL) {
    g_string_append (text, "locked: no\n");
    return;
  }
  since = sp_time_format (vault->lock.since_us);
  g_string_append_printf (text, "locked: by %s%s%s at %s; only an administrator can unlock it\n",
                          vault->lock.by, vault->lock.via ? " via " : "",
                          vault->lock.via ? vault->lock.via : "", since);
}

static void
status_text (GString *text, SpVault *vault)
{
  append_lock (text, vault);
  g_string_append_printf (text, "pending: %u\ngrants: %u\nagents: %u\nsecrets: %u\nversion: %s",
                          count (vault, is_pending), count (vault, sp_request_is_grant),
                          g_hash_table_size (vault->tokens), g_hash_table_size (vault->secrets),
                          SP_VERSION);
}

static void
pending_line (GString *text, SpVault *vault, const SpRequest *request)
{
  gint64 age_ms = (sp_clock_wall_us (vault->clock) - request->created_us) / 1000;
  g_autofree char *age = span_text (age_ms);
  g_autofree char *left = span_text (sp_deadline_left_ms (&request->deadline, vault->clock));
  /* With three codes to choose from, this must not be where the right one is read. */
  const char *code = request->decoys[0] != NULL ? "----" : request->code;

  g_string_append_printf (text, "%s: secret %s for agent %s, asked %s ago, expires in %s", code,
                          request->secret, request->agent, age, left);
}

static void
grant_line (GString *text, SpVault *vault, const SpRequest *request)
{
  g_autofree char *left = span_text (sp_deadline_left_ms (&request->deadline, vault->clock));

  g_string_append_printf (text, "%s: secret %s for agent %s, approved by %s, for another %s",
                          request->code, request->secret, request->agent, request->decided_by,
                          left);
}

static void
append_list (GString *text, SpVault *vault, gboolean (*wanted) (SpVault *, const SpRequest *),
             void (*line) (GString *, SpVault *, const SpRequest *), const char *none)
{
  guint n = 0;

  for (guint i = 0; i < vault->live->len; i++) {
    const SpRequest *request = g_ptr_array_index (vault->live, i);

    if (!wanted (vault, request) || n++ >= MAX_LINES)
      continue;
    if (n > 1)
      g_string_append_c (text, '\n');
    line (text, vault, request);
  }
  if (n == 0)
    g_string_append (text, none);
  if (n > MAX_LINES)
    g_string_append_printf (text, "\nand %u more", n - MAX_LINES);
}

static void
pending_text (GString *text, SpVault *vault)
{
  append_list (text, vault, is_pending, pending_line, "nothing waits for a decision");
}

static void
grants_text (GString *text, SpVault *vault)
{
  append_list (text, vault, sp_request_is_grant, grant_line, "no grant is open");
}

static void help_text (GString *text, SpVault *vault);

static const struct {
  const char *name;
  const char *help;
  void (*text) (GString *text, SpVault *vault); /* NULL: it locks */
} commands[] = {
  { "help", "what can be asked", help_text },
  { "status", "how the vault is", status_text },
  { "pending", "what waits for a decision", pending_text },
  { "grants", "which approvals hold for a time", grants_text },
  { "lock", "end all requests and grants, and hand out nothing until an administrator unlocks it",
    NULL },
};

static void
help_text (GString *text, SpVault *vault)
{
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    g_string_append_printf (text, "%s%s: %s", i ? "\n" : "", commands[i].name, commands[i].help);
}

/* ---- answering ------------------------------------------------------------------------------------------------ */

static void
on_written (const GError *error, gpointer data)
{
  CommandOp *op = data;

  if (error != NULL)
    op->done (SP_ANSWER_TRY_AGAIN, "this could not be written down; try again", op->data);
  else
    op->done (SP_ANSWER_TAKEN, op->text, op->data);
  g_free (op->text);
  g_free (op);
}

static gboolean
may_ask (SpVault *vault)
{
  gint64 minute = sp_clock_boot_ms (vault->clock) / 60000;

  if (minute != vault->commands_minute)
    vault->commands = 0;
  vault->commands_minute = minute;
  return vault->commands++ < A_MINUTE;
}

static CommandOp *
op_new (char *text, SpAnswerDone done, gpointer data)
{
  CommandOp *op = g_new0 (CommandOp, 1);

  op->text = text;
  op->done = done;
  op->data = data;
  return op;
}

static void
tell (SpVault *vault, guint command, const SpLockBy *who, SpAnswerDone done, gpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);
  SpTxn *txn;

  if (!may_ask (vault)) {
    done (SP_ANSWER_NOT_ALLOWED, "too many questions at once; ask again in a minute", data);
    return;
  }
  commands[command].text (text, vault);
  txn = sp_vault_txn (vault);
  sp_txn_audit (txn, "approver.command", "command", commands[command].name, "by", who->name,
                "notifier", who->notifier, "person", who->person, "evidence", who->evidence, NULL);
  sp_journal_commit (vault->journal, txn, on_written, op_new (g_strdup (text->str), done, data));
}

/* Never refused for their number: it may be the last thing that somebody can do. */
static void
lock (SpVault *vault, const SpLockBy *who, SpAnswerDone done, gpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);

  if (sp_lock_stands (vault)) {
    append_lock (text, vault);
    g_string_truncate (text, text->len - 1);
    done (SP_ANSWER_TAKEN, text->str, data);
    return;
  }
  g_string_printf (text,
                   "the vault is locked\nrequests that end: %u\ngrants that end: %u\n"
                   "only an administrator can unlock it: secret-proxy vault unlock",
                   count (vault, is_pending), count (vault, sp_request_is_grant));
  sp_lock_set (vault, who, on_written, op_new (g_strdup (text->str), done, data));
}

void
sp_vault_command (SpVault *vault, const char *notifier, const char *person, const char *command,
                  const char *evidence, SpAnswerDone done, gpointer data)
{
  const SpApprover *approver = sp_vault_approver (vault, notifier, person);
  g_autofree char *proof = evidence && *evidence ? sp_text_clean (evidence, 200) : NULL;

  if (approver == NULL) {
    sp_alarm_stranger (vault, notifier, "a command", person, proof);
    done (SP_ANSWER_NOT_ALLOWED, "you may not ask this", data);
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++) {
    const SpLockBy who = { approver->name, notifier, person, proof };

    if (!g_str_equal (commands[i].name, command))
      continue;
    if (commands[i].text == NULL)
      lock (vault, &who, done, data);
    else
      tell (vault, i, &who, done, data);
    return;
  }
  done (SP_ANSWER_UNKNOWN, "there is no such command; 'help' lists them", data);
}
