// Literals and calls in JavaScript that may be half typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lsp/text_index.h"
#include "transform/syntax/js_tokens.h"

namespace biwa::lsp {

struct JsString {
    std::string value;
    Span span;  // with its quotes
};

struct JsValue {
    enum class Kind { kString, kArray, kObject, kOther };
    Kind kind = Kind::kOther;
    Span span;
    JsString string;             // kString
    std::vector<JsString> keys;  // kObject, as many as items
    std::vector<JsValue> items;

    const JsValue* Find(std::string_view key) const;
    // Itself, or those in the array.
    std::vector<JsString> Strings() const;
};

// The literal that the tokens begin with.
JsValue ReadJsValue(const std::vector<transform::JsToken>& tokens);

struct JsCall {
    std::string function;  // the last name of a.b.f(
    std::vector<JsValue> arguments;
};

// All calls in the text and in the templates in it, outer ones first.
std::vector<JsCall> FindCalls(std::string_view text, std::size_t offset);

}  // namespace biwa::lsp
