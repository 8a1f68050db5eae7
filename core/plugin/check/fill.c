/* fill.c - values for options that nobody has set: plausible ones, by type
 *
 * A path is the one type where plausible has no one meaning: a file that is there, one that is not, a folder, a
 * program.  So there are four shapes, and which one an option starts with is read from its name and
 * help; the others are tried in turn by life/least-options.  A secret may be required by what another
 * option says, so all of that is tried with secrets, too.
 */
#include "plugin/check/case.h"

#include <string.h>
#include <sys/stat.h>

#include "base/option.h"

typedef enum { SHAPE_NO_FILE, SHAPE_FOLDER, SHAPE_FILE, SHAPE_PROGRAM } Shape;

#define PROGRAM "/bin/true"
/* Closed: a connection is refused at once. */
#define URL "http://127.0.0.1:9/"
#define STRING "example"
#define SECRET "1234567890:made-up-by-plugin-check-which-opens-nothing"

/* ---- paths ---------------------------------------------------------------------------------------------- */

static Shape
first_shape (const SpOption *option)
{
  static const struct {
    const char *word;
    Shape shape;
  } words[] = {
    { "dir", SHAPE_FOLDER },      { "folder", SHAPE_FOLDER },   { "spool", SHAPE_FOLDER },
    { "program", SHAPE_PROGRAM }, { "command", SHAPE_PROGRAM }, { "script", SHAPE_PROGRAM },
    { "exec", SHAPE_PROGRAM },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (strstr (option->key, words[i].word) != NULL || strstr (option->help, words[i].word) != NULL)
      return words[i].shape;
  return SHAPE_NO_FILE;
}

static char *
make_path (const SpOption *option, guint shape, const char *folder)
{
  Shape kind = (Shape) (((guint) first_shape (option) + shape) % SP_CHECK_N_PATHS);
  g_autofree char *name = g_strdup_printf ("%s-%u", option->key, (guint) kind);
  char *path = g_build_filename (folder, name, NULL);

  if (kind == SHAPE_FOLDER)
    (void) g_mkdir_with_parents (path, 0700);
  if (kind == SHAPE_FILE)
    (void) g_file_set_contents_full (path, "", 0, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
  if (kind != SHAPE_PROGRAM)
    return path;
  g_free (path);
  return g_strdup (PROGRAM);
}

/* ---- other types ---------------------------------------------------------------------------------------- */

static gint64
clamped (const SpOption *option, gint64 number)
{
  if (option->min == 0 && option->max == 0)
    return number;
  return CLAMP (number, option->min, option->max);
}

static char *
make_value (const SpOption *option, guint shape, const char *folder)
{
  g_auto (GStrv) choices = NULL;

  switch (option->type) {
  case SP_OPTION_BOOL:
    return g_strdup ("yes");
  case SP_OPTION_INT:
    return g_strdup_printf ("%" G_GINT64_FORMAT, clamped (option, 1));
  case SP_OPTION_DURATION:
    return g_strdup_printf ("%" G_GINT64_FORMAT "ms", clamped (option, 1000));
  case SP_OPTION_SIZE:
    return g_strdup_printf ("%" G_GINT64_FORMAT, clamped (option, 1024 * 1024));
  case SP_OPTION_PATH:
    return make_path (option, shape, folder);
  case SP_OPTION_URL:
    return g_strdup (URL);
  case SP_OPTION_CHOICE:
    choices = g_strsplit (option->choices, "|", 2);
    return g_strdup (choices[0]);
  default:
    return g_strdup (first_shape (option) == SHAPE_PROGRAM ? PROGRAM : STRING);
  }
}

static void
take_given_secrets (SpCheck *check, GHashTable *secrets)
{
  g_autoptr (GVariant) given = sp_check_given_secrets (check);
  GVariantIter iter;
  const char *key;
  GVariant *value;

  g_variant_iter_init (&iter, given);
  while (g_variant_iter_loop (&iter, "{&s@ay}", &key, &value)) {
    gsize length;
    gconstpointer data = g_variant_get_fixed_array (value, &length, 1);

    g_hash_table_replace (secrets, g_strdup (key), g_bytes_new (data, length));
  }
}

static gboolean
is_wanted (const SpOption *option, SpCheckFill fill, guint shape)
{
  return fill == SP_FILL_ALL || (option->flags & SP_OPTION_REQUIRED) != 0 ||
         (option->type == SP_OPTION_SECRET && shape >= SP_CHECK_N_PATHS);
}

GVariant *
sp_check_fill (SpCheck *check, const SpPluginModule *module, SpCheckFill fill, guint shape,
               const char *name, GHashTable *secrets)
{
  g_autofree char *folder = g_build_filename (sp_check_folder (check), name, NULL);
  g_autoptr (GVariant) given = sp_check_given_options (check);
  GVariantBuilder values;

  take_given_secrets (check, secrets);
  if (!sp_check_is_made_up (check) && fill == SP_FILL_LEAST)
    return g_steal_pointer (&given);
  (void) g_mkdir_with_parents (folder, 0700);
  g_variant_builder_init (&values, G_VARIANT_TYPE ("a{ss}"));
  for (gsize i = 0; i < module->n_options; i++) {
    const SpOption *option = &module->options[i];
    g_autofree char *value = NULL;

    if (!is_wanted (option, fill, shape))
      continue;
    if (option->type == SP_OPTION_SECRET) {
      if (!g_hash_table_contains (secrets, option->key))
        g_hash_table_replace (secrets, g_strdup (option->key),
                              g_bytes_new_static (SECRET, strlen (SECRET)));
      continue;
    }
    if (!g_variant_lookup (given, option->key, "s", &value))
      value = option->fallback != NULL ? g_strdup (option->fallback)
                                       : make_value (option, shape, folder);
    g_variant_builder_add (&values, "{ss}", option->key, value);
  }
  return g_variant_builder_end (&values);
}
