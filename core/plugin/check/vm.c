/* vm.c - the points of vm plugins: without a machine those that need none, with --live a real one
 *
 * The live guest is a kernel of this machine with an empty initrd: it panics for want of an init, and stays.
 * That is a machine that runs.
 */
#include "plugin/check/case.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_MS 60000
#define LIVE_MS 60000
#define MIB (1024u * 1024u)
#define UNKNOWN "00000000-0000-4000-8000-000000000001"
#define ID "00000000-0000-4000-8000-000000000002"

/* ---- calls ---------------------------------------------------------------------------------------------- */

typedef gboolean (*ById) (gpointer self, const char *id, GCancellable *cancellable, GError **error);

static gboolean
by_id (SpCheckInstance *vm, const char *name, ById func, const char *id, GError **error)
{
  GCancellable *cancellable = sp_check_enter (vm->check, name, LIVE_MS);
  GError *why = NULL;
  gboolean ok = func (vm->self, id, cancellable, &why);

  return sp_check_finish (vm, ok, why, error);
}

static gboolean
create (SpCheckInstance *vm, const SpVmSpec *spec, GError **error)
{
  GCancellable *cancellable = sp_check_enter (vm->check, "create()", SP_CHECK_USUAL_MS);
  GError *why = NULL;
  gboolean ok = vm->module->vm.create (vm->self, spec, cancellable, &why);

  return sp_check_finish (vm, ok, why, error);
}

static gboolean
stop (SpCheckInstance *vm, const char *id, GError **error)
{
  GCancellable *cancellable = sp_check_enter (vm->check, "stop()", LIVE_MS);
  GError *why = NULL;
  gboolean ok = vm->module->vm.stop (vm->self, id, TRUE, cancellable, &why);

  return sp_check_finish (vm, ok, why, error);
}

/* 0: there is a verdict. */
static guint32
state_of (SpCheckInstance *vm, const char *id)
{
  SpVmInfo info = { .size = sizeof info };
  GCancellable *cancellable = sp_check_enter (vm->check, "inspect()", SP_CHECK_USUAL_MS);
  g_autoptr (GError) error = NULL;
  gboolean ok = vm->module->vm.inspect (vm->self, id, &info, cancellable, &error);
  gboolean mute = info.state == SP_VM_FAILED && info.why == NULL;

  g_free (info.address);
  g_free (info.why);
  if (!sp_check_need (vm->check, "inspect()", sp_check_leave (vm->check, ok, error), error) ||
      !sp_check_expect (vm->check, info.state >= SP_VM_ABSENT && info.state <= SP_VM_FAILED,
                        "inspect() gave the state %u, which is none", info.state) ||
      !sp_check_expect (vm->check, !mute, "inspect() gave SP_VM_FAILED and no reason"))
    return 0;
  return info.state;
}

static gboolean
need_state (SpCheckInstance *vm, const char *id, guint32 wanted, const char *what)
{
  guint32 state = state_of (vm, id);

  return state != 0 && sp_check_expect (vm->check, state == wanted,
                                        "%s has the state %u for inspect(), and should have %u",
                                        what, state, wanted);
}

static gboolean
count_machine (const char *id, guint32 state, gpointer n)
{
  (*(guint *) n)++;
  return TRUE;
}

static gboolean
need_list (SpCheckInstance *vm, guint wanted)
{
  GCancellable *cancellable = sp_check_enter (vm->check, "list()", SP_CHECK_USUAL_MS);
  g_autoptr (GError) error = NULL;
  guint n = 0;
  gboolean ok = vm->module->vm.list (vm->self, count_machine, &n, cancellable, &error);

  return sp_check_need (vm->check, "list()", sp_check_leave (vm->check, ok, error), error) &&
         sp_check_expect (vm->check, n == wanted, "list() gave %u machines, and there are %u", n,
                          wanted);
}

/* ---- without a machine ------------------------------------------------------------------------------------ */

static void
check_probe (SpCheck *check)
{
  g_autoptr (SpCheckInstance) vm = sp_check_up (check, "first");
  SpVmProbe probe = { .size = sizeof probe };
  g_autofree char *why = NULL;
  g_autofree char *version = NULL;
  g_autoptr (GError) error = NULL;
  GCancellable *cancellable;
  gboolean ok;

  if (vm == NULL)
    return;
  cancellable = sp_check_enter (check, "probe()", PROBE_MS);
  ok = vm->module->vm.probe (vm->self, &probe, cancellable, &error);
  why = probe.why;
  version = probe.version;
  if (!sp_check_need (check, "probe()", sp_check_leave (check, ok, error), error))
    return;
  if (why == NULL || *why == '\0')
    sp_check_fail (check, "probe() does not say why it chose what it chose");
  else if (probe.acceleration > SP_VM_EMULATED)
    sp_check_fail (check, "probe() found the acceleration %u, which is none", probe.acceleration);
}

static void
check_unknown (SpCheck *check)
{
  g_autoptr (SpCheckInstance) vm = sp_check_up (check, "first");
  g_autoptr (GError) error = NULL;

  if (vm == NULL || !need_list (vm, 0) ||
      !need_state (vm, UNKNOWN, SP_VM_ABSENT, "a machine that was never created"))
    return;
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GError) why = NULL;
    gboolean ok = by_id (vm, "destroy()", vm->module->vm.destroy, UNKNOWN, &why);

    if (!sp_check_need (check, "destroy() of a machine that is not there", ok, why))
      return;
  }
  if (by_id (vm, "start()", vm->module->vm.start, UNKNOWN, &error)) {
    sp_check_fail (check, "start() of a machine that was never created succeeded");
    return;
  }
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GError) why = NULL;

    if (!stop (vm, UNKNOWN, &why) && !g_error_matches (why, SP_ERROR, SP_ERROR_NOT_FOUND)) {
      sp_check_fail (check, "stop() of a machine that is not there failed: %s", why->message);
      return;
    }
  }
}

static SpVmSpec
sound_spec (void)
{
  return (SpVmSpec){ .size = sizeof (SpVmSpec),
                     .id = ID,
                     .name = "plugin-check",
                     .role = SP_VM_OWNED,
                     .kernel = "/boot/vmlinuz",
                     .cmdline = "console=ttyS0 panic=0",
                     .memory = 128 * MIB,
                     .cpus = 1,
                     .network = SP_VM_NETWORK_USER };
}

static gboolean
need_refusal (SpCheckInstance *vm, const SpVmSpec *spec, const char *what)
{
  g_autoptr (GError) error = NULL;

  return sp_check_expect (vm->check, !create (vm, spec, &error), "create() took a machine with %s",
                          what);
}

static void
check_nonsense (SpCheck *check)
{
  static const SpVmDisk no_format = { .path = "/tmp/disk", .name = "disk" };
  static const SpVmDisk relative = { .path = "disk", .name = "disk", .format = SP_VM_RAW };
  g_autoptr (SpCheckInstance) vm = sp_check_up (check, "first");
  SpVmSpec spec[7];

  for (gsize i = 0; i < G_N_ELEMENTS (spec); i++)
    spec[i] = sound_spec ();
  spec[0].memory = 0;
  spec[1].cpus = 0;
  spec[2].role = 99;
  spec[3].kernel = "boot/vmlinuz";
  spec[4].network = 99;
  spec[5].disks = &no_format;
  spec[5].n_disks = 1;
  spec[6].disks = &relative;
  spec[6].n_disks = 1;
  if (vm != NULL && need_refusal (vm, &spec[0], "no memory") &&
      need_refusal (vm, &spec[1], "no processor") &&
      need_refusal (vm, &spec[2], "an unknown role") &&
      need_refusal (vm, &spec[3], "a kernel whose path is not absolute") &&
      need_refusal (vm, &spec[4], "an unknown kind of network") &&
      need_refusal (vm, &spec[5], "a disk without a format") &&
      need_refusal (vm, &spec[6], "a disk whose path is not absolute"))
    (void) need_list (vm, 0);
}

/* ---- with one ------------------------------------------------------------------------------------------- */

static char *
find_kernel (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/boot", 0, NULL);
  g_autofree char *best = NULL;
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename ("/boot", name, NULL);

    if (g_str_has_prefix (name, "vmlinuz-") && access (path, R_OK) == 0 &&
        (best == NULL || strcmp (path, best) > 0)) {
      g_free (best);
      best = g_steal_pointer (&path);
    }
  }
  return g_steal_pointer (&best);
}

/* An archive with nothing but its end: eleven fields of zeros, the length of the name, a checksum; the
 * name. */
static char *
make_initrd (SpCheck *check)
{
  char *path = g_build_filename (sp_check_folder (check), "initrd", NULL);
  g_autofree char *zeros = g_strnfill (11 * 8, '0');
  char archive[512] = { 0 };

  (void) g_snprintf (archive, sizeof archive, "070701%s0000000b00000000TRAILER!!!", zeros);
  (void) g_file_set_contents (path, archive, sizeof archive, NULL);
  /* Machines may run as a user of their own. */
  (void) chmod (path, 0644);
  return path;
}

/* The calls that a life is made of, each of them twice. */
typedef enum { CREATE, START, STOP, DESTROY } Step;

static gboolean
take_step (SpCheckInstance *vm, Step step, const SpVmSpec *spec, GError **error)
{
  switch (step) {
  case CREATE:
    return create (vm, spec, error);
  case START:
    return by_id (vm, "start()", vm->module->vm.start, ID, error);
  case STOP:
    return stop (vm, ID, error);
  default:
    return by_id (vm, "destroy()", vm->module->vm.destroy, ID, error);
  }
}

static gboolean
need_step (SpCheckInstance *vm, Step step, const SpVmSpec *spec, guint32 state)
{
  static const struct {
    const char *call, *machine;
  } words[] = { { "create()", "a machine that was created" },
                { "start()", "a machine that was started" },
                { "stop()", "a machine that was stopped" },
                { "destroy()", "a machine that was destroyed" } };

  for (guint i = 0; i < 2; i++) {
    g_autoptr (GError) error = NULL;
    gboolean ok = take_step (vm, step, spec, &error);

    if (!sp_check_need (vm->check, words[step].call, ok, error) ||
        !need_state (vm, ID, state, words[step].machine))
      return FALSE;
  }
  return need_list (vm, step == DESTROY ? 0 : 1);
}

static void
check_live (SpCheck *check)
{
  g_autofree char *kernel = find_kernel ();
  g_autofree char *initrd = kernel != NULL ? make_initrd (check) : NULL;
  g_autoptr (SpCheckInstance) vm = kernel != NULL ? sp_check_up (check, "first") : NULL;
  SpVmSpec spec = sound_spec ();

  if (kernel == NULL)
    sp_check_skip (check, "there is no kernel /boot/vmlinuz-… that can be read: install "
                          "linux-image-cloud-amd64");
  if (vm == NULL)
    return;
  spec.kernel = kernel;
  spec.initrd = initrd;
  if (need_step (vm, CREATE, &spec, SP_VM_STOPPED) && need_step (vm, START, &spec, SP_VM_RUNNING) &&
      need_step (vm, STOP, &spec, SP_VM_STOPPED))
    (void) need_step (vm, DESTROY, &spec, SP_VM_ABSENT);
}

static const SpCheckCase cases[] = {
  { .name = "vm/probe",
    .what = "it says what this machine can do, and why it thinks so",
    .mend = "fill in acceleration and why, also where nothing works",
    .run = check_probe,
    .flags = SP_CASE_SERVICE },
  { .name = "vm/unknown",
    .what = "it bears ids that it has never heard of",
    .mend =
        "inspect() says SP_VM_ABSENT, destroy() TRUE, stop() TRUE or SP_ERROR_NOT_FOUND, start() "
        "fails",
    .run = check_unknown,
    .flags = SP_CASE_SERVICE },
  { .name = "vm/nonsense",
    .what = "it takes no machine that makes no sense",
    .mend = "check the whole specification in create(), with SP_ERROR_CONFIG",
    .run = check_nonsense,
    .flags = SP_CASE_SERVICE },
  { .name = "vm/live",
    .what = "a machine is created, runs, ends and is gone; each call may be repeated",
    .mend = "a second call finds the work done and succeeds",
    .run = check_live,
    .flags = SP_CASE_SERVICE | SP_CASE_LIVE },
};

const SpCheckGroup sp_check_vm_group = { SP_KIND_VM, cases, G_N_ELEMENTS (cases) };
