/* info.c - descriptions of plugins: to and from another process, and for scripts */
#include "plugin/info.h"

#include <string.h>

#include "base/json.h"
#include "base/option.h"
#include "base/problem.h"
#include "plugin/find.h"
#include "plugin/info-private.h"

#define OPTION_TYPE "(suumsmsxxs)"

void
sp_plugin_info_free (SpPluginInfo *info)
{
  if (info == NULL)
    return;
  for (gsize i = 0; i < info->n_options; i++) {
    g_free ((gpointer) info->options[i].key);
    g_free ((gpointer) info->options[i].fallback);
    g_free ((gpointer) info->options[i].choices);
    g_free ((gpointer) info->options[i].help);
  }
  g_free (info->options);
  g_strfreev (info->calls);
  g_free (info->path);
  g_free (info->kind);
  g_free (info->name);
  g_free (info->version);
  g_free (info->summary);
  g_free (info);
}

static void
copy_option (SpOption *to, const SpOption *from)
{
  *to = *from;
  to->key = g_strdup (from->key);
  to->fallback = g_strdup (from->fallback);
  to->choices = g_strdup (from->choices);
  to->help = g_strdup (from->help);
}

SpPluginInfo *
sp_plugin_info_new (const SpPluginModule *module)
{
  SpPluginInfo *info = g_new0 (SpPluginInfo, 1);
  g_autofree const char **calls = sp_plugin_module_calls (module);

  info->path = g_strdup (module->path);
  info->kind = g_strdup (sp_kind_word (module->plugin.kind));
  info->name = g_strdup (module->plugin.name);
  info->version = g_strdup (module->plugin.version);
  info->summary = g_strdup (module->plugin.summary);
  info->abi = module->plugin.abi;
  info->ops_abi = module->plugin.ops_abi;
  info->calls = g_strdupv ((char **) calls);
  info->options = g_new0 (SpOption, module->n_options);
  info->n_options = module->n_options;
  for (gsize i = 0; i < module->n_options; i++)
    copy_option (&info->options[i], &module->options[i]);
  return info;
}

/* ---- to and from another process -------------------------------------------------------------------- */

GVariant *
sp_plugin_info_to_variant (const SpPluginInfo *info)
{
  GVariantBuilder options;

  g_variant_builder_init (&options, G_VARIANT_TYPE ("a" OPTION_TYPE));
  for (gsize i = 0; i < info->n_options; i++) {
    const SpOption *option = &info->options[i];

    g_variant_builder_add (&options, OPTION_TYPE, option->key, option->type, option->flags,
                           option->fallback, option->choices, option->min, option->max,
                           option->help);
  }
  return g_variant_new ("(sssssuu^asa" OPTION_TYPE ")", info->path, info->kind, info->name,
                        info->version, info->summary, info->abi, info->ops_abi, info->calls,
                        &options);
}

static void
read_options (SpPluginInfo *info, GVariantIter *iter)
{
  SpOption option;

  info->options = g_new0 (SpOption, g_variant_iter_n_children (iter));
  while (g_variant_iter_next (iter, OPTION_TYPE, &option.key, &option.type, &option.flags,
                              &option.fallback, &option.choices, &option.min, &option.max,
                              &option.help))
    info->options[info->n_options++] = option;
}

SpPluginInfo *
sp_plugin_info_from_variant (GVariant *variant, GError **error)
{
  g_autoptr (SpPluginInfo) info = NULL;
  g_autoptr (GVariantIter) options = NULL;
  SpKind kind;

  if (!g_variant_is_of_type (variant, G_VARIANT_TYPE (SP_PLUGIN_INFO_TYPE)) ||
      !g_variant_is_normal_form (variant)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "its description makes no sense");
    return NULL;
  }
  info = g_new0 (SpPluginInfo, 1);
  g_variant_get (variant, SP_PLUGIN_INFO_TYPE, &info->path, &info->kind, &info->name,
                 &info->version, &info->summary, &info->abi, &info->ops_abi, NULL, &options);
  g_variant_get_child (variant, 7, "^as", &info->calls);
  read_options (info, options);
  if (!sp_kind_from_word (info->kind, &kind) || !sp_plugin_is_name (info->name)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "its kind or name makes no sense");
    return NULL;
  }
  return sp_options_check (info->options, info->n_options, error) ? g_steal_pointer (&info) : NULL;
}

/* ---- for scripts ------------------------------------------------------------------------------------ */

static void
append_member (GString *out, const char *name, const char *text)
{
  g_string_append_printf (out, "\"%s\":", name);
  sp_json_append_string (out, text, -1);
  g_string_append_c (out, ',');
}

char *
sp_plugin_info_to_json (const SpPluginInfo *info)
{
  g_autofree char *options = sp_options_to_json (info->options, info->n_options);
  GString *out = g_string_new ("{");

  append_member (out, "name", info->name);
  append_member (out, "kind", info->kind);
  append_member (out, "version", info->version);
  append_member (out, "summary", info->summary);
  append_member (out, "path", info->path);
  g_string_append_printf (out, "\"abi\":%u,\"ops_abi\":%u,\"calls\":[", info->abi, info->ops_abi);
  for (gsize i = 0; info->calls[i] != NULL; i++) {
    g_string_append (out, i > 0 ? "," : "");
    sp_json_append_string (out, info->calls[i], -1);
  }
  g_string_append_printf (out, "],\"options\":%s}", options);
  return g_string_free (out, FALSE);
}

/* ---- for the manual ----------------------------------------------------------------------------------- */

char *
sp_plugin_info_to_markdown (const SpPluginInfo *info)
{
  g_autofree char *options = sp_options_to_markdown (info->options, info->n_options);
  g_autofree char *calls = g_strjoinv ("`, `", info->calls);
  g_autofree char *summary = g_strdup (info->summary != NULL ? info->summary : "");
  GString *out = g_string_new (NULL);

  *summary = g_ascii_toupper (*summary);
  g_string_append_printf (out, "# %s-%s\n\n%s.\n\n", info->kind, info->name, summary);
  g_string_append_printf (out, "In the config file: `plugin = %s` in a section `[%s NAME]`.\n\n",
                          info->name, info->kind);
  g_string_append_printf (out, "## Options\n\n%s\n", info->n_options > 0 ? options : "None.\n");
  g_string_append_printf (out, "## Calls\n\n`%s`\n\n", calls);
  g_string_append_printf (out, "<!-- made by `secret-proxy plugin show %s-%s --markdown` -->\n",
                          info->kind, info->name);
  return g_string_free (out, FALSE);
}
