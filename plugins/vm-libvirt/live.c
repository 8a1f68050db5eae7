/* live.c - live.h: what libvirt describes is compared line by line, so that a new kind of change shows too */
#include "live.h"

#include <libxml/xpath.h>

#include "xml.h"

#define MAX_SHOWN 100

/* Whether somebody is connected to a port of the guest. */
static const char changing[] = "/domain/devices/channel/target/@state";

static void
remove_all (xmlDoc *doc, const char *path)
{
  xmlXPathContext *context = xmlXPathNewContext (doc);
  xmlXPathObject *found = xmlXPathEvalExpression ((const xmlChar *) path, context);

  for (int i = 0; found != NULL && found->nodesetval != NULL && i < found->nodesetval->nodeNr; i++)
    (void) xmlRemoveProp ((xmlAttr *) found->nodesetval->nodeTab[i]);
  xmlXPathFreeObject (found);
  xmlXPathFreeContext (context);
}

char *
sp_libvirt_live_form (const char *xml)
{
  g_autoptr (xmlDoc) doc = sp_xml_parse (xml);

  if (doc == NULL)
    return NULL;
  remove_all (doc, changing);
  return sp_xml_text (doc);
}

static char *
shown (const char *line)
{
  g_autofree char *text = g_strstrip (g_strdup (line));

  for (char *p = text; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  return g_utf8_strlen (text, -1) > MAX_SHOWN ? g_utf8_substring (text, 0, MAX_SHOWN)
                                              : g_steal_pointer (&text);
}

/* The first line of @a that @b has not; NULL: none. */
static const char *
find_new (char *const *a, char *const *b)
{
  for (; *a != NULL; a++)
    if (!g_strv_contains ((const char *const *) b, *a))
      return *a;
  return NULL;
}

char *
sp_libvirt_live_difference (const char *then, const char *now)
{
  g_auto (GStrv) old = g_strsplit (then, "\n", -1);
  g_auto (GStrv) new = g_strsplit (now, "\n", -1);
  const char *came = find_new (new, old), *went = find_new (old, new);
  g_autofree char *line = NULL;

  if (g_str_equal (then, now))
    return NULL;
  if (came == NULL && went == NULL)
    return g_strdup ("its parts are in another order, or another number");
  line = shown (came != NULL ? came : went);
  return g_strdup_printf (came != NULL ? "it has now '%s'" : "it has no longer '%s'", line);
}
