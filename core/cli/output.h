/* output.h - results on stdout: one JSON object, or tables for people
 *
 * Text of agents ends up on terminals here: what could steer one, or turn text around, is shown as an
 * escape.
 */
#pragma once

#include "cli/cli.h"

typedef enum {
  SP_COLUMN_TEXT,
  SP_COLUMN_TIME,     /* RFC 3339 -> local time */
  SP_COLUMN_DURATION, /* seconds -> "1h30m" */
  SP_COLUMN_LIST,     /* of strings */
} SpColumnKind;

typedef struct {
  const char *title;
  const char *member;
  SpColumnKind kind;
} SpColumn;

/* One line of compact JSON. */
void sp_print_json (JsonNode *node);
/* {"error":{"code","message","field"?}} */
void sp_print_error (const GError *error);

/* With --json @node, else a table of its "items", or "nothing" on stderr where there are none. */
void sp_print_items (const SpCli *cli, JsonNode *node, const SpColumn *columns, gsize n_columns);
/* With --json @node, else a line for each member that it has. */
void sp_print_fields (const SpCli *cli, JsonNode *node, const SpColumn *columns, gsize n_columns);
/* With --json @node, else the sentence. */
void
sp_print_sentence (const SpCli *cli, JsonNode *node, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The pure part: the lines, each with its newline. */
char *sp_table_text (JsonArray *items, const SpColumn *columns, gsize n_columns);
/* One line, harmless on a terminal. */
char *sp_escape_text (const char *text);
