/* judge-private.h - between image-judge.c and image-child.c */
#pragma once

#define SP_IMAGE_ROLE "--image-child"
#define SP_IMAGE_CHECK "check"
#define SP_IMAGE_ROOT "root"

#define SP_IMAGE_FD 3
#define SP_IMAGE_TABLES_FD 4
#define SP_IMAGE_ANSWER_FD 5

/* Words in the place of a finding's code. */
#define SP_IMAGE_ERROR "error"     /* it could not be found out */
#define SP_IMAGE_DIFFERS "differs" /* of a comparison */
#define SP_IMAGE_DONE "done"       /* nothing follows; without it an answer counts for nothing */
