/* config-scan.c - the text of the config file, line by line
 *
 * GKeyFile does the parsing, but it stops at the first bad line, knows no line numbers, and lets a
 * second group or key of the same name pass.  So a light scan goes first: it notes where everything
 * stands, reports what GKeyFile would trip over, and hands it the text with those lines blanked.
 */
#include "base/config-private.h"

#include <string.h>

#include "base/option.h"

typedef struct {
  SpConfigReport *report;
  GPtrArray *sections;
  SpConfigSection *section; /* NULL: before the first, or in one whose header is bad */
  gboolean in_bad_section;
  char *group;
  guint line;
} Scan;

static void
entry_free (gpointer data)
{
  SpConfigEntry *entry = data;

  g_free (entry->group);
  g_free (entry->key);
  g_free (entry->value);
  g_free (entry);
}

static void
section_free (gpointer data)
{
  SpConfigSection *section = data;

  g_free (section->kind);
  g_free (section->name);
  g_ptr_array_unref (section->entries);
  g_free (section);
}

static const SpConfigEntry *
find_entry (const SpConfigSection *section, const char *key)
{
  for (guint i = 0; i < section->entries->len; i++) {
    const SpConfigEntry *entry = g_ptr_array_index (section->entries, i);

    if (strcmp (entry->key, key) == 0)
      return entry;
  }
  return NULL;
}

guint
sp_config_section_line (const SpConfigSection *section, const char *key)
{
  const SpConfigEntry *entry = find_entry (section, key);

  return entry != NULL ? entry->line : section->line;
}

const char *
sp_config_section_value (const SpConfigSection *section, const char *key)
{
  const SpConfigEntry *entry = find_entry (section, key);

  return entry != NULL ? entry->value : NULL;
}

/* ---- headers ---------------------------------------------------------------------------------------- */

static const char *const kinds[] = { "vault", "vm", "notify", "store", "approver", "source", NULL };

static gboolean
check_header (Scan *scan, const char *kind, const char *name)
{
  g_autofree char *hint = NULL;

  if (!g_strv_contains (kinds, kind)) {
    hint = sp_did_you_mean (kind, kinds);
    sp_config_complain (scan->report, scan->line, "there are no sections of the kind '%s'%s", kind,
                        hint);
    return FALSE;
  }
  if (*name == '\0') {
    sp_config_complain (scan->report, scan->line, "this section has no name: write [%s NAME]",
                        kind);
    return FALSE;
  }
  if (!sp_is_name (name)) {
    sp_config_complain (scan->report, scan->line,
                        "'%s' is no name: use letters, digits, '.', '_' and '-', at most 64", name);
    return FALSE;
  }
  return TRUE;
}

static SpConfigSection *
find_section (Scan *scan, const char *kind, const char *name)
{
  for (guint i = 0; i < scan->sections->len; i++) {
    SpConfigSection *section = g_ptr_array_index (scan->sections, i);

    if (strcmp (section->kind, kind) == 0 && strcmp (section->name, name) == 0)
      return section;
  }
  return NULL;
}

static SpConfigSection *
open_section (Scan *scan, const char *kind, const char *name)
{
  SpConfigSection *section = find_section (scan, kind, name);

  if (section != NULL) {
    sp_config_complain (scan->report, scan->line,
                        "[%s %s] stands here a second time: the first is in line %u", kind, name,
                        section->line);
    return section;
  }
  section = g_new0 (SpConfigSection, 1);
  section->kind = g_strdup (kind);
  section->name = g_strdup (name);
  section->line = scan->line;
  section->entries = g_ptr_array_new_with_free_func (entry_free);
  g_ptr_array_add (scan->sections, section);
  return section;
}

/* FALSE: GKeyFile must not see this line. */
static gboolean
take_header (Scan *scan, char *line)
{
  char *end = strchr (line, ']');
  char *kind = line + 1, *name;

  scan->section = NULL;
  scan->in_bad_section = TRUE;
  if (end == NULL || end[1] != '\0' || strchr (kind, '[') != NULL) {
    sp_config_complain (scan->report, scan->line,
                        "this is no section: write [KIND NAME], and comments on their own line");
    return FALSE;
  }
  *end = '\0';
  g_free (scan->group);
  scan->group = g_strdup (kind);
  g_strstrip (kind);
  name = kind + strcspn (kind, " \t");
  if (*name != '\0')
    *name++ = '\0';
  g_strstrip (name);
  if (!check_header (scan, kind, name))
    return FALSE;
  scan->section = open_section (scan, kind, name);
  scan->in_bad_section = FALSE;
  return TRUE;
}

/* ---- keys ------------------------------------------------------------------------------------------- */

static gboolean
check_key (Scan *scan, const char *key)
{
  const SpConfigEntry *before;

  if (!sp_is_name (key)) {
    sp_config_complain (scan->report, scan->line, "what stands before the '=' is no key");
    return FALSE;
  }
  before = find_entry (scan->section, key);
  if (before == NULL)
    return TRUE;
  sp_config_complain (scan->report, scan->line,
                      "'%s' is set a second time in [%s %s]: the first is in line %u", key,
                      scan->section->kind, scan->section->name, before->line);
  return FALSE;
}

static gboolean
take_key (Scan *scan, char *line)
{
  char *equals = strchr (line, '=');
  SpConfigEntry *entry;

  if (scan->in_bad_section)
    return FALSE;
  /* The line is not quoted: it may be a secret that was pasted here. */
  if (equals == NULL) {
    sp_config_complain (scan->report, scan->line,
                        "this is neither [KIND NAME], nor KEY = VALUE, nor a # comment");
    return FALSE;
  }
  *equals = '\0';
  g_strstrip (line);
  if (scan->section == NULL) {
    sp_config_complain (scan->report, scan->line,
                        "this stands before the first section: add [vault default] above it");
    return FALSE;
  }
  if (!check_key (scan, line))
    return FALSE;
  entry = g_new0 (SpConfigEntry, 1);
  entry->group = g_strdup (scan->group);
  entry->key = g_strdup (line);
  entry->line = scan->line;
  g_ptr_array_add (scan->section->entries, entry);
  return TRUE;
}

static gboolean
take_line (Scan *scan, const char *text, gsize length)
{
  g_autofree char *line = NULL;

  if (!g_utf8_validate_len (text, length, NULL)) {
    sp_config_complain (scan->report, scan->line, "this is not UTF-8 text");
    return FALSE;
  }
  line = g_strstrip (g_strndup (text, length));
  if (*line == '\0' || *line == '#')
    return TRUE;
  return *line == '[' ? take_header (scan, line) : take_key (scan, line);
}

/* ---- both together ---------------------------------------------------------------------------------- */

/* The text without the lines that GKeyFile would trip over. */
static GString *
scan_lines (Scan *scan, const char *text, gsize length)
{
  GString *clean = g_string_sized_new (length);
  const char *end = text + length;

  for (const char *at = text; at < end;) {
    const char *stop = memchr (at, '\n', (gsize) (end - at));
    gsize n = (gsize) ((stop != NULL ? stop : end) - at);

    scan->line++;
    if (take_line (scan, at, n))
      g_string_append_len (clean, at, (gssize) n);
    g_string_append_c (clean, '\n');
    at += n + 1;
  }
  return clean;
}

static void
read_value (GKeyFile *file, SpConfigEntry *entry, SpConfigReport *report)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *value = g_key_file_get_string (file, entry->group, entry->key, &error);

  /* GKeyFile returns what it could make of a bad value, too. */
  if (error != NULL)
    sp_config_complain (report, entry->line,
                        "%s: a backslash must be followed by s, n, t, r or another backslash",
                        entry->key);
  else
    entry->value = g_strstrip (g_steal_pointer (&value));
}

GPtrArray *
sp_config_scan (const char *text, gsize length, SpConfigReport *report)
{
  g_autoptr (GPtrArray) sections = g_ptr_array_new_with_free_func (section_free);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) error = NULL;
  Scan scan = { .report = report, .sections = sections };
  GString *clean = scan_lines (&scan, text, length);
  gboolean loaded =
      clean->len == 0 || g_key_file_load_from_data (file, clean->str, clean->len, 0, &error);

  g_free (scan.group);
  g_string_free (clean, TRUE);
  if (!loaded)
    sp_config_complain (report, 0, "%s", error->message);
  for (guint i = 0; loaded && i < sections->len; i++) {
    SpConfigSection *section = g_ptr_array_index (sections, i);

    for (guint k = 0; k < section->entries->len; k++)
      read_value (file, g_ptr_array_index (section->entries, k), report);
  }
  return g_steal_pointer (&sections);
}
