/* <nanomsg/survey.h>: surveys of all peers, and their answers.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_SURVEY_H
#define NANOMSG_SURVEY_H

/* Number of the survey pattern. */
#define NN_PROTO_SURVEY 6

/* Sends surveys to all its peers. */
#define NN_SURVEYOR ((NN_PROTO_SURVEY * 16) + 2)

/* Answers surveys. */
#define NN_RESPONDENT ((NN_PROTO_SURVEY * 16) + 3)

/* Option of NN_SURVEYOR: milliseconds within which answers are received. */
#define NN_SURVEYOR_DEADLINE 1

#endif  /* NANOMSG_SURVEY_H */
