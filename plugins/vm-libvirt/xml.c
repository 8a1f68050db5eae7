/* xml.c - xml.h
 *
 * What is parsed comes from the libvirt daemon, which is trusted as root is; even so no network, no entities.
 */
#include "xml.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <string.h>

static const xmlChar *
theirs (const char *text)
{
  return (const xmlChar *) text;
}

xmlNode *
sp_xml_add (xmlNode *parent, const char *name, ...)
{
  xmlNode *node = xmlNewChild (parent, NULL, theirs (name), NULL);
  const char *attribute;
  va_list list;

  va_start (list, name);
  while ((attribute = va_arg (list, const char *)) != NULL)
    sp_xml_set (node, attribute, va_arg (list, const char *));
  va_end (list);
  return node;
}

xmlNode *
sp_xml_add_text (xmlNode *parent, const char *name, const char *text)
{
  return xmlNewTextChild (parent, NULL, theirs (name), theirs (text));
}

void
sp_xml_set (xmlNode *node, const char *attribute, const char *value)
{
  if (value != NULL)
    (void) xmlNewProp (node, theirs (attribute), theirs (value));
}

void
sp_xml_set_number (xmlNode *node, const char *attribute, guint64 value)
{
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT, value);

  sp_xml_set (node, attribute, text);
}

char *
sp_xml_text (xmlDoc *doc)
{
  xmlChar *text = NULL;
  char *copy;
  int length;

  xmlDocDumpFormatMemory (doc, &text, &length, 1);
  copy = g_strdup ((const char *) text);
  xmlFree (text);
  return copy;
}

xmlDoc *
sp_xml_parse (const char *text)
{
  return xmlReadMemory (text, (int) strlen (text), NULL, NULL,
                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                            XML_PARSE_NOBLANKS);
}

char *
sp_xml_find (xmlDoc *doc, const char *path)
{
  xmlXPathContext *context = xmlXPathNewContext (doc);
  xmlXPathObject *found = xmlXPathEvalExpression (theirs (path), context);
  char *copy = NULL;

  if (found != NULL && found->nodesetval != NULL && found->nodesetval->nodeNr > 0) {
    xmlChar *text = xmlNodeGetContent (found->nodesetval->nodeTab[0]);

    copy = g_strdup ((const char *) text);
    xmlFree (text);
  }
  xmlXPathFreeObject (found);
  xmlXPathFreeContext (context);
  return copy;
}
