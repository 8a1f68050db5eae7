/* protocol-vm.c - specifications of machines as values */
#include "plugin/protocol.h"

/* SpVmSpec comes first, so that a pointer to it is a pointer to all. */
typedef struct {
  SpVmSpec spec;
  GVariant *variant;
  SpVmDisk *disks;
  SpVmForward *forwards;
} Spec;

/* A value holds UTF-8 only; a path may be anything. */
static char *
utf8 (const char *text)
{
  return text != NULL ? g_utf8_make_valid (text, -1) : NULL;
}

static GVariant *
maybe (const char *text)
{
  g_autofree char *valid = utf8 (text);

  return g_variant_new ("ms", valid);
}

static GVariant *
disks_to_variant (const SpVmSpec *spec)
{
  GVariantBuilder disks;

  g_variant_builder_init (&disks, G_VARIANT_TYPE ("a(ssuu)"));
  for (gsize i = 0; i < spec->n_disks; i++) {
    const SpVmDisk *disk = &spec->disks[i];
    g_autofree char *path = utf8 (disk->path);

    g_variant_builder_add (&disks, "(ssuu)", path, disk->name, disk->format, disk->read_only);
  }
  return g_variant_builder_end (&disks);
}

static GVariant *
forwards_to_variant (const SpVmSpec *spec)
{
  GVariantBuilder forwards;

  g_variant_builder_init (&forwards, G_VARIANT_TYPE ("a(sqq)"));
  for (gsize i = 0; i < spec->n_forwards; i++)
    g_variant_builder_add (&forwards, "(sqq)", spec->forwards[i].address, spec->forwards[i].port,
                           spec->forwards[i].guest_port);
  return g_variant_builder_end (&forwards);
}

GVariant *
sp_vm_spec_to_variant (const SpVmSpec *spec)
{
  GVariant *const members[] = {
    g_variant_new_string (spec->id),
    maybe (spec->name),
    g_variant_new_uint32 (spec->role),
    maybe (spec->kernel),
    maybe (spec->initrd),
    maybe (spec->cmdline),
    disks_to_variant (spec),
    g_variant_new_uint64 (spec->memory),
    g_variant_new_uint32 (spec->cpus),
    g_variant_new_uint32 (spec->acceleration),
    g_variant_new_uint32 (spec->network),
    maybe (spec->bridge),
    maybe (spec->mac),
    forwards_to_variant (spec),
    maybe (spec->admin_socket),
    maybe (spec->log),
    g_variant_new_uint64 (spec->log_limit),
    maybe (spec->monitor),
    maybe (spec->pid_file),
  };

  return g_variant_new_tuple (members, G_N_ELEMENTS (members));
}

SpVmSpec *
sp_vm_spec_from_variant (GVariant *variant)
{
  Spec *all = g_new0 (Spec, 1);
  SpVmSpec *spec = &all->spec;
  g_autoptr (GVariantIter) disks = NULL;
  g_autoptr (GVariantIter) forwards = NULL;
  SpVmDisk disk;
  SpVmForward forward;

  all->variant = g_variant_ref (variant);
  spec->size = sizeof *spec;
  g_variant_get (variant, "(&sm&sum&sm&sm&sa(ssuu)tuuum&sm&sa(sqq)m&sm&stm&sm&s)", &spec->id,
                 &spec->name, &spec->role, &spec->kernel, &spec->initrd, &spec->cmdline, &disks,
                 &spec->memory, &spec->cpus, &spec->acceleration, &spec->network, &spec->bridge,
                 &spec->mac, &forwards, &spec->admin_socket, &spec->log, &spec->log_limit,
                 &spec->monitor, &spec->pid_file);
  all->disks = g_new0 (SpVmDisk, g_variant_iter_n_children (disks) + 1);
  while (g_variant_iter_next (disks, "(&s&suu)", &disk.path, &disk.name, &disk.format,
                              &disk.read_only))
    all->disks[spec->n_disks++] = disk;
  all->forwards = g_new0 (SpVmForward, g_variant_iter_n_children (forwards) + 1);
  while (g_variant_iter_next (forwards, "(&sqq)", &forward.address, &forward.port,
                              &forward.guest_port))
    all->forwards[spec->n_forwards++] = forward;
  spec->disks = all->disks;
  spec->forwards = all->forwards;
  return spec;
}

void
sp_vm_spec_free (SpVmSpec *spec)
{
  Spec *all = (Spec *) spec;

  if (all == NULL)
    return;
  g_free (all->disks);
  g_free (all->forwards);
  g_variant_unref (all->variant);
  g_free (all);
}
