/* findings.h - what an audit of a disk has found, as lines */
#pragma once

#include <json-glib/json-glib.h>

/* @findings: SpAuditFinding.  {"code","path","message","digest"} each. */
JsonArray *sp_findings_array (GPtrArray *findings);
/* For people; free it. */
char *sp_findings_table (JsonArray *array);
/* While a takeover goes on: a line for each, with --json an object {"finding":{…}}.  @cli: SpCli. */
void sp_print_findings (GPtrArray *findings, gpointer cli);
