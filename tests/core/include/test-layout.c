/* test-layout.c - the tables that plugins are compiled with stay where they are
 *
 * A plugin that was built years ago has these numbers in its code.  What must stay true: a row is never
 * changed; a member is added at the end only, with a row of its own, and only where a size travels with
 * the table; numbers of an enumeration are only added.  x86-64, as everywhere.
 */
#include <secret-proxy/notifier.h>
#include <secret-proxy/store.h>
#include <secret-proxy/vm.h>

typedef struct {
  const char *name;
  gsize is, was, size;
} Member;

#define MEMBER(table, member, offset) \
  { \
#table "." #member, G_STRUCT_OFFSET(table, member), offset, sizeof(((table *) NULL)->member) \
  }

/* clang-format off: a row a member */
static const Member members_of_SpOption[] = {
  MEMBER (SpOption, key, 0),       MEMBER (SpOption, type, 8),     MEMBER (SpOption, flags, 12),
  MEMBER (SpOption, fallback, 16), MEMBER (SpOption, choices, 24), MEMBER (SpOption, min, 32),
  MEMBER (SpOption, max, 40),      MEMBER (SpOption, help, 48),
};
static const Member members_of_SpAnswer[] = {
  MEMBER (SpAnswer, size, 0),    MEMBER (SpAnswer, notice_id, 8), MEMBER (SpAnswer, choice_id, 16),
  MEMBER (SpAnswer, person, 24), MEMBER (SpAnswer, evidence, 32),
};
static const Member members_of_SpHostApi[] = {
  MEMBER (SpHostApi, size, 0),           MEMBER (SpHostApi, config_string, 8),
  MEMBER (SpHostApi, config_int, 16),    MEMBER (SpHostApi, config_list, 24),
  MEMBER (SpHostApi, config_secret, 32), MEMBER (SpHostApi, instance, 40),
  MEMBER (SpHostApi, state_dir, 48),     MEMBER (SpHostApi, people, 56),
  MEMBER (SpHostApi, recall, 64),        MEMBER (SpHostApi, recall_each, 72),
  MEMBER (SpHostApi, remember, 80),      MEMBER (SpHostApi, broken, 88),
  MEMBER (SpHostApi, alarm, 96),         MEMBER (SpHostApi, answer, 104),
  MEMBER (SpHostApi, json_read, 112),    MEMBER (SpHostApi, progress, 120),
  MEMBER (SpHostApi, vm_changed, 128),   MEMBER (SpHostApi, command, 136),
};
static const Member members_of_SpHost[] = {
  MEMBER (SpHost, api, 0),
};
static const Member members_of_SpPlugin[] = {
  MEMBER (SpPlugin, abi, 0),      MEMBER (SpPlugin, kind, 4),
  MEMBER (SpPlugin, size, 8),     MEMBER (SpPlugin, option_size, 16),
  MEMBER (SpPlugin, ops_abi, 24), MEMBER (SpPlugin, ops_size, 32),
  MEMBER (SpPlugin, ops, 40),     MEMBER (SpPlugin, name, 48),
  MEMBER (SpPlugin, version, 56), MEMBER (SpPlugin, summary, 64),
  MEMBER (SpPlugin, options, 72), MEMBER (SpPlugin, n_options, 80),
  MEMBER (SpPlugin, open, 88),    MEMBER (SpPlugin, start, 96),
  MEMBER (SpPlugin, stop, 104),   MEMBER (SpPlugin, close, 112),
};
static const Member members_of_SpChoice[] = {
  MEMBER (SpChoice, id, 0),
  MEMBER (SpChoice, label, 8),
  MEMBER (SpChoice, style, 16),
};
static const Member members_of_SpField[] = {
  MEMBER (SpField, label, 0),
  MEMBER (SpField, value, 8),
  MEMBER (SpField, origin, 16),
};
static const Member members_of_SpNotice[] = {
  MEMBER (SpNotice, size, 0),       MEMBER (SpNotice, id, 8),
  MEMBER (SpNotice, title, 16),     MEMBER (SpNotice, fields, 24),
  MEMBER (SpNotice, n_fields, 32),  MEMBER (SpNotice, choices, 40),
  MEMBER (SpNotice, n_choices, 48), MEMBER (SpNotice, expires_at, 56),
};
static const Member members_of_SpOutcome[] = {
  MEMBER (SpOutcome, size, 0),
  MEMBER (SpOutcome, kind, 8),
  MEMBER (SpOutcome, text, 16),
};
static const Member members_of_SpNotifierOps[] = {
  MEMBER (SpNotifierOps, flags, 0),   MEMBER (SpNotifierOps, max_text, 4),
  MEMBER (SpNotifierOps, post, 8),    MEMBER (SpNotifierOps, settle, 16),
  MEMBER (SpNotifierOps, render, 24),
};
static const Member members_of_SpWrite[] = {
  MEMBER (SpWrite, table, 0),
  MEMBER (SpWrite, key, 8),
  MEMBER (SpWrite, expect, 16),
  MEMBER (SpWrite, value, 24),
};
static const Member members_of_SpBatch[] = {
  MEMBER (SpBatch, writes, 0),
  MEMBER (SpBatch, n_writes, 8),
  MEMBER (SpBatch, result, 16),
};
static const Member members_of_SpStoreOps[] = {
  MEMBER (SpStoreOps, flags, 0),
  MEMBER (SpStoreOps, read, 8),
  MEMBER (SpStoreOps, write, 16),
  MEMBER (SpStoreOps, scan, 24),
};
static const Member members_of_SpVmDisk[] = {
  MEMBER (SpVmDisk, path, 0),
  MEMBER (SpVmDisk, name, 8),
  MEMBER (SpVmDisk, format, 16),
  MEMBER (SpVmDisk, read_only, 20),
};
static const Member members_of_SpVmForward[] = {
  MEMBER (SpVmForward, address, 0),
  MEMBER (SpVmForward, port, 8),
  MEMBER (SpVmForward, guest_port, 10),
};
static const Member members_of_SpVmSpec[] = {
  MEMBER (SpVmSpec, size, 0),         MEMBER (SpVmSpec, id, 8),
  MEMBER (SpVmSpec, name, 16),        MEMBER (SpVmSpec, role, 24),
  MEMBER (SpVmSpec, kernel, 32),      MEMBER (SpVmSpec, initrd, 40),
  MEMBER (SpVmSpec, cmdline, 48),     MEMBER (SpVmSpec, disks, 56),
  MEMBER (SpVmSpec, n_disks, 64),     MEMBER (SpVmSpec, memory, 72),
  MEMBER (SpVmSpec, cpus, 80),        MEMBER (SpVmSpec, acceleration, 84),
  MEMBER (SpVmSpec, network, 88),     MEMBER (SpVmSpec, bridge, 96),
  MEMBER (SpVmSpec, mac, 104),        MEMBER (SpVmSpec, forwards, 112),
  MEMBER (SpVmSpec, n_forwards, 120), MEMBER (SpVmSpec, admin_socket, 128),
  MEMBER (SpVmSpec, log, 136),        MEMBER (SpVmSpec, log_limit, 144),
  MEMBER (SpVmSpec, monitor, 152),    MEMBER (SpVmSpec, pid_file, 160),
};
static const Member members_of_SpVmProbe[] = {
  MEMBER (SpVmProbe, size, 0),
  MEMBER (SpVmProbe, acceleration, 8),
  MEMBER (SpVmProbe, why, 16),
  MEMBER (SpVmProbe, version, 24),
};
static const Member members_of_SpVmInfo[] = {
  MEMBER (SpVmInfo, size, 0), MEMBER (SpVmInfo, state, 8),    MEMBER (SpVmInfo, acceleration, 12),
  MEMBER (SpVmInfo, pid, 16), MEMBER (SpVmInfo, address, 24), MEMBER (SpVmInfo, why, 32),
};
static const Member members_of_SpVmOps[] = {
  MEMBER (SpVmOps, flags, 0),    MEMBER (SpVmOps, probe, 8), MEMBER (SpVmOps, create, 16),
  MEMBER (SpVmOps, start, 24),   MEMBER (SpVmOps, stop, 32), MEMBER (SpVmOps, destroy, 40),
  MEMBER (SpVmOps, inspect, 48), MEMBER (SpVmOps, list, 56),
};
/* clang-format on */

typedef struct {
  const char *name;
  const Member *members;
  gsize n_members;
  gsize is, was;
  gboolean grows; /* its size travels with it */
} Table;

#define TABLE(table, size, grows) \
  { \
#table, members_of_##table, G_N_ELEMENTS(members_of_##table), sizeof(table), size, grows \
  }

static const Table tables[] = {
  TABLE (SpOption, 56, TRUE),      TABLE (SpAnswer, 40, TRUE),  TABLE (SpHostApi, 144, TRUE),
  TABLE (SpHost, 8, FALSE),        TABLE (SpPlugin, 120, TRUE), TABLE (SpChoice, 24, FALSE),
  TABLE (SpField, 24, FALSE),      TABLE (SpNotice, 64, TRUE),  TABLE (SpOutcome, 24, TRUE),
  TABLE (SpNotifierOps, 32, TRUE), TABLE (SpWrite, 32, FALSE),  TABLE (SpBatch, 24, FALSE),
  TABLE (SpStoreOps, 32, TRUE),    TABLE (SpVmDisk, 24, FALSE), TABLE (SpVmForward, 16, FALSE),
  TABLE (SpVmSpec, 168, TRUE),     TABLE (SpVmProbe, 32, TRUE), TABLE (SpVmInfo, 40, TRUE),
  TABLE (SpVmOps, 64, TRUE),
};

static void
test_members (gconstpointer data)
{
  const Table *table = data;

  for (gsize i = 0; i < table->n_members; i++)
    if (table->members[i].is != table->members[i].was)
      g_error ("%s was at %" G_GSIZE_FORMAT " and is at %" G_GSIZE_FORMAT, table->members[i].name,
               table->members[i].was, table->members[i].is);
}

/* Nothing behind the last row, so that each new member gets one. */
static void
test_size (gconstpointer data)
{
  const Table *table = data;
  const Member *last = &table->members[table->n_members - 1];

  if (table->grows)
    g_assert_cmpuint (table->is, >=, table->was);
  else
    g_assert_cmpuint (table->is, ==, table->was);
  if (table->is - (last->is + last->size) >= sizeof (gpointer))
    g_error ("%s has a member behind %s that has no row here", table->name, last->name);
}

/* ---- numbers ------------------------------------------------------------------------------------------ */

typedef struct {
  const char *name;
  gint64 is, was;
} Number;

#define NUMBER(name, value) \
  { \
#name, name, value \
  }

/* clang-format off: a row a number */
static const Number numbers[] = {
  NUMBER (SP_PLUGIN_ABI, 1),
  NUMBER (SP_ERROR_INTERNAL, 0),
  NUMBER (SP_ERROR_CONFIG, 1),
  NUMBER (SP_ERROR_NOT_FOUND, 2),
  NUMBER (SP_ERROR_CONFLICT, 3),
  NUMBER (SP_ERROR_REFUSED, 4),
  NUMBER (SP_ERROR_UNAVAILABLE, 5),
  NUMBER (SP_ERROR_UNSUPPORTED, 6),
  NUMBER (SP_OPTION_STRING, 1),
  NUMBER (SP_OPTION_BOOL, 2),
  NUMBER (SP_OPTION_INT, 3),
  NUMBER (SP_OPTION_DURATION, 4),
  NUMBER (SP_OPTION_SIZE, 5),
  NUMBER (SP_OPTION_PATH, 6),
  NUMBER (SP_OPTION_URL, 7),
  NUMBER (SP_OPTION_CHOICE, 8),
  NUMBER (SP_OPTION_SECRET, 9),
  NUMBER (SP_OPTION_REQUIRED, 1),
  NUMBER (SP_OPTION_LIST, 2),
  NUMBER (SP_ANSWER_TAKEN, 0),
  NUMBER (SP_ANSWER_COUNTED, 1),
  NUMBER (SP_ANSWER_NOT_ALLOWED, 2),
  NUMBER (SP_ANSWER_TOO_LATE, 3),
  NUMBER (SP_ANSWER_UNKNOWN, 4),
  NUMBER (SP_ANSWER_TRY_AGAIN, 5),
  NUMBER (SP_KIND_NOTIFIER, 1),
  NUMBER (SP_KIND_STORE, 2),
  NUMBER (SP_KIND_VM, 3),
  NUMBER (SP_NOTIFIER_ABI, 1),
  NUMBER (SP_CHOICE_PLAIN, 0),
  NUMBER (SP_CHOICE_APPROVE, 1),
  NUMBER (SP_CHOICE_DENY, 2),
  NUMBER (SP_FIELD_CORE, 0),
  NUMBER (SP_FIELD_AGENT, 1),
  NUMBER (SP_OUTCOME_APPROVED, 1),
  NUMBER (SP_OUTCOME_DENIED, 2),
  NUMBER (SP_OUTCOME_EXPIRED, 3),
  NUMBER (SP_OUTCOME_CANCELLED, 4),
  NUMBER (SP_OUTCOME_REVOKED, 5),
  NUMBER (SP_STORE_ABI, 1),
  NUMBER (SP_BATCH_DONE, 1),
  NUMBER (SP_BATCH_CONFLICT, 2),
  NUMBER (SP_STORE_VOLATILE, 1),
  NUMBER (SP_VM_ABI, 1),
  NUMBER (SP_VM_ABSENT, 1),
  NUMBER (SP_VM_STOPPED, 2),
  NUMBER (SP_VM_RUNNING, 3),
  NUMBER (SP_VM_PAUSED, 4),
  NUMBER (SP_VM_FAILED, 5),
  NUMBER (SP_VM_PROVISION, 1),
  NUMBER (SP_VM_OWNED, 2),
  NUMBER (SP_VM_NONE, 0),
  NUMBER (SP_VM_KVM, 1),
  NUMBER (SP_VM_EMULATED, 2),
  NUMBER (SP_VM_RAW, 1),
  NUMBER (SP_VM_QCOW2, 2),
  NUMBER (SP_VM_NETWORK_USER, 1),
  NUMBER (SP_VM_NETWORK_BRIDGE, 2),
  NUMBER (SP_VM_NETWORK_TAP, 3),
};
/* clang-format on */

static void
test_numbers (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (numbers[i].is != numbers[i].was)
      g_error ("%s was %" G_GINT64_FORMAT " and is %" G_GINT64_FORMAT, numbers[i].name,
               numbers[i].was, numbers[i].is);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++) {
    g_autofree char *members = g_strconcat ("/layout/members-stay/", tables[i].name, NULL);
    g_autofree char *size = g_strconcat ("/layout/size-only-grows/", tables[i].name, NULL);

    g_test_add_data_func (members, &tables[i], test_members);
    g_test_add_data_func (size, &tables[i], test_size);
  }
  g_test_add_func ("/layout/numbers-stay", test_numbers);
  return g_test_run ();
}
