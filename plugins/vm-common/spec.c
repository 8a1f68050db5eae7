/* spec.c - spec.h: tables of members, so that copy and comparison can't forget one */
#include "spec.h"

#include <string.h>

/* SpVmSpec comes first, so that a pointer to it is a pointer to all. */
typedef struct {
  SpVmSpec spec;
  GStringChunk *strings;
} Copy;

static const gsize strings[] = {
  G_STRUCT_OFFSET (SpVmSpec, id),       G_STRUCT_OFFSET (SpVmSpec, name),
  G_STRUCT_OFFSET (SpVmSpec, kernel),   G_STRUCT_OFFSET (SpVmSpec, initrd),
  G_STRUCT_OFFSET (SpVmSpec, cmdline),  G_STRUCT_OFFSET (SpVmSpec, bridge),
  G_STRUCT_OFFSET (SpVmSpec, mac),      G_STRUCT_OFFSET (SpVmSpec, admin_socket),
  G_STRUCT_OFFSET (SpVmSpec, log),      G_STRUCT_OFFSET (SpVmSpec, monitor),
  G_STRUCT_OFFSET (SpVmSpec, pid_file),
};

static const char **
string_at (SpVmSpec *spec, gsize i)
{
  return (const char **) (gpointer) ((guint8 *) spec + strings[i]);
}

static const char *
keep (Copy *copy, const char *text)
{
  return text != NULL ? g_string_chunk_insert (copy->strings, text) : NULL;
}

SpVmSpec *
sp_qemu_spec_copy (const SpVmSpec *given)
{
  Copy *copy = g_new0 (Copy, 1);
  SpVmSpec *spec = &copy->spec;
  SpVmDisk *disks;
  SpVmForward *forwards;

  memcpy (spec, given, MIN (sizeof *spec, given->size));
  spec->size = sizeof *spec;
  copy->strings = g_string_chunk_new (512);
  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++)
    *string_at (spec, i) = keep (copy, *string_at (spec, i));
  spec->disks = disks = g_memdup2 (spec->disks, spec->n_disks * sizeof *spec->disks);
  for (gsize i = 0; i < spec->n_disks; i++) {
    disks[i].path = keep (copy, disks[i].path);
    disks[i].name = keep (copy, disks[i].name);
  }
  spec->forwards = forwards = g_memdup2 (spec->forwards, spec->n_forwards * sizeof *spec->forwards);
  for (gsize i = 0; i < spec->n_forwards; i++)
    forwards[i].address = keep (copy, forwards[i].address);
  return spec;
}

void
sp_qemu_spec_free (SpVmSpec *spec)
{
  Copy *copy = (Copy *) spec;

  if (copy == NULL)
    return;
  g_free ((gpointer) spec->disks);
  g_free ((gpointer) spec->forwards);
  g_string_chunk_free (copy->strings);
  g_free (copy);
}

static gboolean
equal_lists (const SpVmSpec *a, const SpVmSpec *b)
{
  gboolean equal = a->n_disks == b->n_disks && a->n_forwards == b->n_forwards;

  for (gsize i = 0; equal && i < a->n_disks; i++)
    equal = g_str_equal (a->disks[i].path, b->disks[i].path) &&
            g_str_equal (a->disks[i].name, b->disks[i].name) &&
            a->disks[i].format == b->disks[i].format &&
            a->disks[i].read_only == b->disks[i].read_only;
  for (gsize i = 0; equal && i < a->n_forwards; i++)
    equal = g_str_equal (a->forwards[i].address, b->forwards[i].address) &&
            a->forwards[i].port == b->forwards[i].port &&
            a->forwards[i].guest_port == b->forwards[i].guest_port;
  return equal;
}

gboolean
sp_qemu_spec_equal (const SpVmSpec *a, const SpVmSpec *b)
{
  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++)
    if (g_strcmp0 (*string_at ((SpVmSpec *) a, i), *string_at ((SpVmSpec *) b, i)) != 0)
      return FALSE;
  return a->role == b->role && a->memory == b->memory && a->cpus == b->cpus &&
         a->acceleration == b->acceleration && a->network == b->network &&
         a->log_limit == b->log_limit && equal_lists (a, b);
}
