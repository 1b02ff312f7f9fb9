#include "CLlamaChat.h"

#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chat-auto-parser.h"
#include "chat.h"
#include "json.h"
#include "llama.h"
#include "log.h"

struct switchyard_chat_templates {
    common_chat_templates_ptr templates;
    std::string source;
    // Whether llama-common has rules of its own for this template, which also change the messages.
    bool is_specialized = true;
    bool has_tools = false;
    bool has_thinking = false;
    std::vector<std::string> thinking_start;
    std::vector<std::string> thinking_end;
};

struct switchyard_chat_request {
    common_chat_templates_inputs inputs;
    bool prompt_only = false;
    bool parses = false;
};

struct switchyard_chat_result {
    common_chat_params params;
};

struct switchyard_chat_parser {
    common_chat_parser_params params;
    std::vector<std::string> preserved;
    std::vector<std::string> triggers;
};

struct switchyard_chat_answer {
    common_chat_msg message;
};

namespace {

void report(char **error, const char *message) noexcept {
    if (error != nullptr) {
        *error = strdup(message);
    }
}

// Runs `body`; when it throws, stores the message and returns `failure`.
template <typename Body, typename Failure>
auto guarded(char **error, Failure failure, Body body) noexcept -> decltype(body()) {
    try {
        return body();
    } catch (const std::exception &exception) {
        report(error, exception.what());
    } catch (...) {
        report(error, "unknown exception");
    }
    return failure;
}

bool is_specialized(const std::string &source) {
    common_chat_msg message;
    message.role = "user";
    message.content = "test";
    autoparser::generation_params params;
    params.messages = common_chat_msgs_to_json_oaicompat({message});
    params.add_generation_prompt = true;
    const common_chat_template parsed(source, "", "");
    try {
        return common_chat_try_specialized_template(parsed, source, params).has_value();
    } catch (...) {
        // Only rules of its own can fail here.
        return true;
    }
}

// What the template's answers look like, found out with a conversation of one message.
void examine(switchyard_chat_templates &opened) {
    const auto capabilities = common_chat_templates_get_caps(opened.templates.get());
    const auto can = [&](const char *name) {
        const auto found = capabilities.find(name);
        return found != capabilities.end() && found->second;
    };
    opened.has_tools = can("supports_tools") && can("supports_tool_calls");
    common_chat_templates_inputs inputs;
    common_chat_msg message;
    message.role = "user";
    message.content = "test";
    inputs.messages = {message};
    inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    common_chat_params params;
    try {
        params = common_chat_templates_apply(opened.templates.get(), inputs);
    } catch (...) {
        // It refuses this conversation, or its answers are not understood: then they are text.
        return;
    }
    if (!params.supports_thinking || params.thinking_end_tags.empty()) {
        return;
    }
    opened.has_thinking = true;
    if (!params.thinking_start_tag.empty()) {
        opened.thinking_start.push_back(params.thinking_start_tag);
    }
    opened.thinking_end = params.thinking_end_tags;
}

const char *word(const std::vector<std::string> &words, size_t index, size_t *length) {
    if (index >= words.size()) {
        return nullptr;
    }
    *length = words[index].size();
    return words[index].data();
}

}  // namespace

extern "C" {

char *switchyard_json_normalize(const char *text, size_t length, char **error) {
    return guarded(error, nullptr, [&]() -> char * {
        const auto document = common_json::parse(std::string(text, length));
        return strdup(document.dump().c_str());
    });
}

void switchyard_string_free(char *string) {
    std::free(string);
}

void switchyard_chat_quiet(void) {
    common_log_set_verbosity_thold(LOG_LEVEL_ERROR);
}

switchyard_chat_templates *switchyard_chat_templates_open(
    const llama_model *model, const char *source, size_t source_length, char **error) {
    if (model == nullptr && source_length == 0) {
        report(error, "neither a model nor a template was given");
        return nullptr;
    }
    return guarded(error, nullptr, [&]() -> switchyard_chat_templates * {
        auto opened = std::make_unique<switchyard_chat_templates>();
        opened->templates =
            common_chat_templates_init(model, std::string(source, source_length));
        opened->source = common_chat_templates_source(opened->templates.get());
        opened->is_specialized = is_specialized(opened->source);
        examine(*opened);
        return opened.release();
    });
}

void switchyard_chat_templates_free(switchyard_chat_templates *templates) {
    delete templates;
}

bool switchyard_chat_templates_explicit(const switchyard_chat_templates *templates) {
    return common_chat_templates_was_explicit(templates->templates.get());
}

const char *switchyard_chat_templates_source(
    const switchyard_chat_templates *templates, size_t *length) {
    *length = templates->source.size();
    return templates->source.data();
}

bool switchyard_chat_templates_can(
    const switchyard_chat_templates *templates, switchyard_chat_capability capability) {
    switch (capability) {
        case SWITCHYARD_CHAT_TOOLS:
            return templates->has_tools;
        case SWITCHYARD_CHAT_THINKING:
            return templates->has_thinking;
        case SWITCHYARD_CHAT_SPECIALIZED:
            return templates->is_specialized;
    }
    return false;
}

const char *switchyard_chat_templates_word(
    const switchyard_chat_templates *templates, switchyard_chat_words words, size_t index,
    size_t *length) {
    return word(
        words == SWITCHYARD_CHAT_THINKING_START ? templates->thinking_start
                                                : templates->thinking_end,
        index, length);
}

switchyard_chat_request *switchyard_chat_request_new(void) {
    return guarded(nullptr, nullptr, []() { return new switchyard_chat_request(); });
}

void switchyard_chat_request_free(switchyard_chat_request *request) {
    delete request;
}

bool switchyard_chat_request_add_message(switchyard_chat_request *request, const char *role) {
    return guarded(nullptr, false, [&]() {
        common_chat_msg message;
        message.role = role;
        request->inputs.messages.push_back(std::move(message));
        return true;
    });
}

bool switchyard_chat_request_set_field(
    switchyard_chat_request *request, switchyard_chat_field field, const char *text,
    size_t length) {
    return guarded(nullptr, false, [&]() {
        if (request->inputs.messages.empty()) {
            return false;
        }
        common_chat_msg &message = request->inputs.messages.back();
        switch (field) {
            case SWITCHYARD_CHAT_CONTENT:
                message.content.assign(text, length);
                return true;
            case SWITCHYARD_CHAT_REASONING_CONTENT:
                message.reasoning_content.assign(text, length);
                return true;
            case SWITCHYARD_CHAT_TOOL_NAME:
                message.tool_name.assign(text, length);
                return true;
            case SWITCHYARD_CHAT_TOOL_CALL_ID:
                message.tool_call_id.assign(text, length);
                return true;
        }
        return false;
    });
}

bool switchyard_chat_request_add_call(
    switchyard_chat_request *request, const char *id, size_t id_length, const char *name,
    size_t name_length, const char *arguments, size_t arguments_length) {
    return guarded(nullptr, false, [&]() {
        if (request->inputs.messages.empty()) {
            return false;
        }
        common_chat_tool_call call;
        call.id.assign(id, id_length);
        call.name.assign(name, name_length);
        call.arguments.assign(arguments, arguments_length);
        request->inputs.messages.back().tool_calls.push_back(std::move(call));
        return true;
    });
}

bool switchyard_chat_request_add_tool(
    switchyard_chat_request *request, const char *name, size_t name_length,
    const char *description, size_t description_length, const char *parameters,
    size_t parameters_length) {
    return guarded(nullptr, false, [&]() {
        common_chat_tool tool;
        tool.name.assign(name, name_length);
        tool.description.assign(description, description_length);
        tool.parameters.assign(parameters, parameters_length);
        request->inputs.tools.push_back(std::move(tool));
        return true;
    });
}

bool switchyard_chat_request_set_effort(switchyard_chat_request *request, const char *effort) {
    return guarded(nullptr, false, [&]() {
        request->inputs.chat_template_kwargs["reasoning_effort"] =
            common_json(std::string(effort)).dump();
        return true;
    });
}

void switchyard_chat_request_set_parses(switchyard_chat_request *request, bool parses) {
    request->parses = parses;
}

void switchyard_chat_request_set_generation_prompt(switchyard_chat_request *request, bool add) {
    request->inputs.add_generation_prompt = add;
}

void switchyard_chat_request_set_thinking(switchyard_chat_request *request, bool enable) {
    request->inputs.enable_thinking = enable;
}

void switchyard_chat_request_set_prompt_only(switchyard_chat_request *request, bool prompt_only) {
    request->prompt_only = prompt_only;
}

switchyard_chat_result *switchyard_chat_apply(
    const switchyard_chat_templates *templates, const switchyard_chat_request *request,
    char **error) {
    return guarded(error, nullptr, [&]() -> switchyard_chat_result * {
        common_chat_templates_inputs inputs = request->inputs;
        inputs.now = std::chrono::system_clock::now();
        // The same prompt, without deriving a parser of the answer from the template each time.
        inputs.force_pure_content = request->prompt_only && !templates->is_specialized;
        inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
        inputs.parallel_tool_calls = true;
        inputs.tool_choice =
            request->parses ? COMMON_CHAT_TOOL_CHOICE_AUTO : COMMON_CHAT_TOOL_CHOICE_NONE;
        auto result = std::make_unique<switchyard_chat_result>();
        result->params = common_chat_templates_apply(templates->templates.get(), inputs);
        return result.release();
    });
}

void switchyard_chat_result_free(switchyard_chat_result *result) {
    delete result;
}

const char *switchyard_chat_result_part(
    const switchyard_chat_result *result, switchyard_chat_part part, size_t *length) {
    const std::string *text = &result->params.prompt;
    switch (part) {
        case SWITCHYARD_CHAT_PROMPT:
            break;
        case SWITCHYARD_CHAT_GENERATION_PROMPT:
            text = &result->params.generation_prompt;
            break;
        case SWITCHYARD_CHAT_GRAMMAR:
            text = &result->params.grammar;
            break;
        case SWITCHYARD_CHAT_PARSER:
            text = &result->params.parser;
            break;
    }
    *length = text->size();
    return text->data();
}

switchyard_chat_parser *switchyard_chat_parser_new(
    const switchyard_chat_result *result, char **error) {
    return guarded(error, nullptr, [&]() -> switchyard_chat_parser * {
        auto parser = std::make_unique<switchyard_chat_parser>();
        parser->params = common_chat_parser_params(result->params);
        parser->params.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
        parser->params.parser.load(result->params.parser);
        parser->preserved = result->params.preserved_tokens;
        for (const auto &trigger : result->params.grammar_triggers) {
            if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
                parser->triggers.push_back(trigger.value);
            }
        }
        return parser.release();
    });
}

void switchyard_chat_parser_free(switchyard_chat_parser *parser) {
    delete parser;
}

const char *switchyard_chat_parser_word(
    const switchyard_chat_parser *parser, switchyard_chat_words words, size_t index,
    size_t *length) {
    return word(
        words == SWITCHYARD_CHAT_TRIGGER ? parser->triggers : parser->preserved, index, length);
}

switchyard_chat_answer *switchyard_chat_parse(
    const switchyard_chat_parser *parser, const char *text, size_t length, char **error) {
    return guarded(error, nullptr, [&]() -> switchyard_chat_answer * {
        auto answer = std::make_unique<switchyard_chat_answer>();
        answer->message = common_chat_parse(std::string(text, length), false, parser->params);
        return answer.release();
    });
}

void switchyard_chat_answer_free(switchyard_chat_answer *answer) {
    delete answer;
}

size_t switchyard_chat_answer_calls(const switchyard_chat_answer *answer) {
    return answer->message.tool_calls.size();
}

const char *switchyard_chat_answer_part(
    const switchyard_chat_answer *answer, switchyard_chat_answer_field field, size_t index,
    size_t *length) {
    const std::string *text = &answer->message.content;
    switch (field) {
        case SWITCHYARD_CHAT_ANSWER_CONTENT:
            break;
        case SWITCHYARD_CHAT_ANSWER_REASONING:
            text = &answer->message.reasoning_content;
            break;
        case SWITCHYARD_CHAT_ANSWER_CALL_NAME:
            text = &answer->message.tool_calls.at(index).name;
            break;
        case SWITCHYARD_CHAT_ANSWER_CALL_ARGUMENTS:
            text = &answer->message.tool_calls.at(index).arguments;
            break;
    }
    *length = text->size();
    return text->data();
}

int32_t switchyard_tokenize(
    const llama_vocab *vocab, const char *text, int32_t text_length, int32_t *tokens,
    int32_t capacity, bool add_special, bool parse_special, char **error) {
    return guarded(error, INT32_MIN, [&]() {
        return llama_tokenize(
            vocab, text, text_length, tokens, capacity, add_special, parse_special);
    });
}

}  // extern "C"
