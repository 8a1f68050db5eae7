/* protocol.c - the two tables of protocol.h, and notices as values */
#include "plugin/protocol.h"

const SpLinkMethod sp_plugin_calls[SP_PLUGIN_N_CALLS] = {
  [SP_PLUGIN_RECALL] = { "recall", "(a{ss})", "()" },
  [SP_PLUGIN_OPEN] = { "open", "(usssa{ss}as)", "()" },
  [SP_PLUGIN_START] = { "start", "(u)", "()" },
  [SP_PLUGIN_STOP] = { "stop", "(u)", "()" },
  [SP_PLUGIN_POST] = { "post", "(u" SP_NOTICE_TYPE ")", "()" },
  [SP_PLUGIN_SETTLE] = { "settle", "(u" SP_NOTICE_TYPE "us)", "()" },
  [SP_PLUGIN_READ] = { "read", "(uss)", "(ayx)" },
  [SP_PLUGIN_WRITE] = { "write", "(ua" SP_WRITES_TYPE ")", "(au)" },
  [SP_PLUGIN_SCAN] = { "scan", "(usmsuu)", "(" SP_ROWS_TYPE "b)" },
  [SP_PLUGIN_VM_PROBE] = { "vm-probe", "(u)", "(uss)" },
  [SP_PLUGIN_VM_CREATE] = { "vm-create", "(u" SP_VM_SPEC_TYPE ")", "()" },
  [SP_PLUGIN_VM_START] = { "vm-start", "(us)", "()" },
  [SP_PLUGIN_VM_STOP] = { "vm-stop", "(usb)", "()" },
  [SP_PLUGIN_VM_DESTROY] = { "vm-destroy", "(us)", "()" },
  [SP_PLUGIN_VM_INSPECT] = { "vm-inspect", "(us)", "(uuxmsms)" },
  [SP_PLUGIN_VM_LIST] = { "vm-list", "(u)", "(a(su))" },
};

const SpLinkMethod sp_plugin_upcalls[SP_PLUGIN_N_UPCALLS] = {
  [SP_PLUGIN_REMEMBER] = { "remember", "(sms)", "()" },
  [SP_PLUGIN_ANSWER] = { "answer", "(sssms)", "(us)" },
  [SP_PLUGIN_ALARM] = { "alarm", "(s)", "()" },
  [SP_PLUGIN_BROKEN] = { "broken", "(ms)", "()" },
  [SP_PLUGIN_PROGRESS] = { "progress", "(s)", "()" },
  [SP_PLUGIN_VM_CHANGED] = { "vm-changed", "(s)", "()" },
  [SP_PLUGIN_COMMAND] = { "command", "(ssms)", "(us)" },
};

/* ---- notices ---------------------------------------------------------------------------------------- */

/* SpNotice comes first, so that a pointer to it is a pointer to all. */
typedef struct {
  SpNotice notice;
  GVariant *variant;
  SpField *fields;
  SpChoice *choices;
} Notice;

GVariant *
sp_notice_to_variant (const SpNotice *notice)
{
  GVariantBuilder fields, choices;

  g_variant_builder_init (&fields, G_VARIANT_TYPE ("a(ssu)"));
  for (gsize i = 0; i < notice->n_fields; i++)
    g_variant_builder_add (&fields, "(ssu)", notice->fields[i].label, notice->fields[i].value,
                           notice->fields[i].origin);
  g_variant_builder_init (&choices, G_VARIANT_TYPE ("a(ssu)"));
  for (gsize i = 0; i < notice->n_choices; i++)
    g_variant_builder_add (&choices, "(ssu)", notice->choices[i].id, notice->choices[i].label,
                           notice->choices[i].style);
  return g_variant_new (SP_NOTICE_TYPE, notice->id, notice->title, &fields, &choices,
                        notice->expires_at);
}

SpNotice *
sp_notice_from_variant (GVariant *variant)
{
  Notice *all = g_new0 (Notice, 1);
  SpNotice *notice = &all->notice;
  g_autoptr (GVariantIter) fields = NULL;
  g_autoptr (GVariantIter) choices = NULL;
  SpField field;
  SpChoice choice;

  all->variant = g_variant_ref (variant);
  notice->size = sizeof *notice;
  g_variant_get (variant, "(&s&sa(ssu)a(ssu)x)", &notice->id, &notice->title, &fields, &choices,
                 &notice->expires_at);
  all->fields = g_new0 (SpField, g_variant_iter_n_children (fields) + 1);
  while (g_variant_iter_next (fields, "(&s&su)", &field.label, &field.value, &field.origin))
    all->fields[notice->n_fields++] = field;
  all->choices = g_new0 (SpChoice, g_variant_iter_n_children (choices) + 1);
  while (g_variant_iter_next (choices, "(&s&su)", &choice.id, &choice.label, &choice.style))
    all->choices[notice->n_choices++] = choice;
  notice->fields = all->fields;
  notice->choices = all->choices;
  return notice;
}

void
sp_notice_free (SpNotice *notice)
{
  Notice *all = (Notice *) notice;

  if (all == NULL)
    return;
  g_free (all->fields);
  g_free (all->choices);
  g_variant_unref (all->variant);
  g_free (all);
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

GVariant *
sp_bytes_to_variant (GBytes *bytes)
{
  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}

GBytes *
sp_bytes_from_variant (GVariant *variant)
{
  gsize length;
  gconstpointer data = g_variant_get_fixed_array (variant, &length, 1);

  return g_bytes_new_with_free_func (data, length, (GDestroyNotify) g_variant_unref,
                                     g_variant_ref (variant));
}
