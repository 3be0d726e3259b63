/* <nanomsg/survey.h>: a question to everyone.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_SURVEY_H
#define NANOMSG_SURVEY_H

/* Number of the survey pattern. */
#define NN_PROTO_SURVEY 6

/* Asks everyone. */
#define NN_SURVEYOR ((NN_PROTO_SURVEY * 16) + 2)

/* Answers. */
#define NN_RESPONDENT ((NN_PROTO_SURVEY * 16) + 3)

/* Option of NN_SURVEYOR: milliseconds within which an answer counts. */
#define NN_SURVEYOR_DEADLINE 1

#endif  /* NANOMSG_SURVEY_H */
