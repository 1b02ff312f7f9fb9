// Chat templates and tokenizing of llama.cpp behind plain C functions.
//
// llama-common is C++ and reports errors by exceptions, and so does libllama's tokenizer for some
// inputs. None of them leaves these functions: each catches everything and reports it as stated.
//
// Errors: a function that takes `char **error` stores a message there when it fails; the caller
// frees it with switchyard_string_free. Texts are UTF-8 with an explicit length and may hold NUL.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct llama_model;
struct llama_vocab;

// A parsed template. Immutable after it was opened; rendering from several threads is allowed.
struct switchyard_chat_templates;
// What is to be rendered. Owned and filled by one thread.
struct switchyard_chat_request;
// What came out. Immutable.
struct switchyard_chat_result;
// Understands answers in one template's words. Immutable; parsing from several threads is allowed.
struct switchyard_chat_parser;
// One answer, taken apart. Immutable.
struct switchyard_chat_answer;

enum switchyard_chat_capability {
    // Renders tools, and calls and results of earlier turns.
    SWITCHYARD_CHAT_TOOLS = 0,
    // Its answers may begin with reasoning between marks.
    SWITCHYARD_CHAT_THINKING = 1,
    // llama-common has rules of its own for its answers.
    SWITCHYARD_CHAT_SPECIALIZED = 2,
};

// Lists of words; an index past the end gives NULL.
enum switchyard_chat_words {
    // Of templates: what begins reasoning (one), and what ends it.
    SWITCHYARD_CHAT_THINKING_START = 0,
    SWITCHYARD_CHAT_THINKING_END = 1,
    // Of parsers: the special tokens whose spelling is part of what is parsed, and the words with
    // which calls begin.
    SWITCHYARD_CHAT_PRESERVED = 2,
    SWITCHYARD_CHAT_TRIGGER = 3,
};

// The text of a message that the template sees under this name.
enum switchyard_chat_field {
    SWITCHYARD_CHAT_CONTENT = 0,
    SWITCHYARD_CHAT_REASONING_CONTENT = 1,
    SWITCHYARD_CHAT_TOOL_NAME = 2,
    SWITCHYARD_CHAT_TOOL_CALL_ID = 3,
};

// The parts of a result. Everything but the prompt is for parsing tool calls and reasoning.
enum switchyard_chat_part {
    SWITCHYARD_CHAT_PROMPT = 0,
    // The end of the prompt with which the answer begins.
    SWITCHYARD_CHAT_GENERATION_PROMPT = 1,
    // GBNF, empty when the output is free.
    SWITCHYARD_CHAT_GRAMMAR = 2,
    // The serialized parser of the answer.
    SWITCHYARD_CHAT_PARSER = 3,
};

// The parts of an answer; for calls, of the one with the index.
enum switchyard_chat_answer_field {
    SWITCHYARD_CHAT_ANSWER_CONTENT = 0,
    SWITCHYARD_CHAT_ANSWER_REASONING = 1,
    SWITCHYARD_CHAT_ANSWER_CALL_NAME = 2,
    SWITCHYARD_CHAT_ANSWER_CALL_ARGUMENTS = 3,
};

void switchyard_string_free(char *string);

// The same JSON document without white space, and with only those characters escaped that must be.
// NULL, with an error, when it is none.
char *switchyard_json_normalize(const char *text, size_t length, char **error);

// Silences llama-common's own log, except errors. Call once, before any other thread uses it.
void switchyard_chat_quiet(void);

// The model's own template, or `source` when its length is not 0. `model` may be vocabulary-only;
// what is needed of it is copied. NULL on failure.
struct switchyard_chat_templates *switchyard_chat_templates_open(
    const struct llama_model *model, const char *source, size_t source_length, char **error);
void switchyard_chat_templates_free(struct switchyard_chat_templates *templates);
// Whether the template came from the model or the caller, not from llama-common's default (ChatML).
bool switchyard_chat_templates_explicit(const struct switchyard_chat_templates *templates);
// The template's text, valid as long as `templates`.
const char *switchyard_chat_templates_source(
    const struct switchyard_chat_templates *templates, size_t *length);

bool switchyard_chat_templates_can(
    const struct switchyard_chat_templates *templates, enum switchyard_chat_capability capability);
const char *switchyard_chat_templates_word(
    const struct switchyard_chat_templates *templates, enum switchyard_chat_words words,
    size_t index, size_t *length);

// NULL only when memory is exhausted.
struct switchyard_chat_request *switchyard_chat_request_new(void);
void switchyard_chat_request_free(struct switchyard_chat_request *request);
// Both return false only when memory is exhausted, or a field is set before any message was added.
bool switchyard_chat_request_add_message(struct switchyard_chat_request *request, const char *role);
bool switchyard_chat_request_set_field(
    struct switchyard_chat_request *request, enum switchyard_chat_field field, const char *text,
    size_t length);
// A call of the message that was added last. `arguments` is JSON.
bool switchyard_chat_request_add_call(
    struct switchyard_chat_request *request, const char *id, size_t id_length, const char *name,
    size_t name_length, const char *arguments, size_t arguments_length);
// A function that may be called. `parameters` is JSON.
bool switchyard_chat_request_add_tool(
    struct switchyard_chat_request *request, const char *name, size_t name_length,
    const char *description, size_t description_length, const char *parameters,
    size_t parameters_length);
// How much to think, in the template's words (`low`, `medium`, `high`).
bool switchyard_chat_request_set_effort(struct switchyard_chat_request *request, const char *effort);
// A parser of the answer is wanted, which must be able to understand calls of the tools.
// Default false: the tools are rendered only, and their parameters are not looked at.
void switchyard_chat_request_set_parses(struct switchyard_chat_request *request, bool parses);
// Default true.
void switchyard_chat_request_set_generation_prompt(
    struct switchyard_chat_request *request, bool add);
// For templates that can switch reasoning; default true.
void switchyard_chat_request_set_thinking(struct switchyard_chat_request *request, bool enable);
// Only the prompt is wanted, which takes a seventh of the time (0.14 ms against 1 ms for SmolLM2).
// Default false.
void switchyard_chat_request_set_prompt_only(
    struct switchyard_chat_request *request, bool prompt_only);

// NULL on failure: the template raised an error or cannot express the messages.
struct switchyard_chat_result *switchyard_chat_apply(
    const struct switchyard_chat_templates *templates,
    const struct switchyard_chat_request *request, char **error);
void switchyard_chat_result_free(struct switchyard_chat_result *result);
// Valid as long as `result`.
const char *switchyard_chat_result_part(
    const struct switchyard_chat_result *result, enum switchyard_chat_part part, size_t *length);

// Of a result of a request that parses. NULL on failure. Keeps nothing of the result.
struct switchyard_chat_parser *switchyard_chat_parser_new(
    const struct switchyard_chat_result *result, char **error);
void switchyard_chat_parser_free(struct switchyard_chat_parser *parser);
const char *switchyard_chat_parser_word(
    const struct switchyard_chat_parser *parser, enum switchyard_chat_words words, size_t index,
    size_t *length);
// `text` is everything that the model wrote. NULL on failure: it is nothing that the model should
// have written. What is missing at its end is no failure.
struct switchyard_chat_answer *switchyard_chat_parse(
    const struct switchyard_chat_parser *parser, const char *text, size_t length, char **error);
void switchyard_chat_answer_free(struct switchyard_chat_answer *answer);
size_t switchyard_chat_answer_calls(const struct switchyard_chat_answer *answer);
// Valid as long as `answer`.
const char *switchyard_chat_answer_part(
    const struct switchyard_chat_answer *answer, enum switchyard_chat_answer_field field,
    size_t index, size_t *length);

// As llama_tokenize: the number of tokens written, or the negated number that would be needed.
// INT32_MIN, with an error, when the library threw.
int32_t switchyard_tokenize(
    const struct llama_vocab *vocab, const char *text, int32_t text_length, int32_t *tokens,
    int32_t capacity, bool add_special, bool parse_special, char **error);

#ifdef __cplusplus
}
#endif
