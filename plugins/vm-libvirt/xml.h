/* xml.h - small helpers on libxml2: elements are built and read, never pasted or searched for as text */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlDoc, xmlFreeDoc)

/* A child @name of @parent; pairs of an attribute and its value follow, up to NULL.  One whose value is NULL
 * is left out. */
xmlNode *sp_xml_add (xmlNode *parent, const char *name, ...) G_GNUC_NULL_TERMINATED;
/* A child with text. */
xmlNode *sp_xml_add_text (xmlNode *parent, const char *name, const char *text);
void sp_xml_set (xmlNode *node, const char *attribute, const char *value);
void sp_xml_set_number (xmlNode *node, const char *attribute, guint64 value);

/* As text, indented.  Free with g_free(). */
char *sp_xml_text (xmlDoc *doc);
/* NULL: it is no XML. */
xmlDoc *sp_xml_parse (const char *text);
/* The text of the first node that @path, of XPath, finds; NULL: none.  Free with g_free(). */
char *sp_xml_find (xmlDoc *doc, const char *path);
