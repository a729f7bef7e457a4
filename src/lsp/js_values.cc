#include "lsp/js_values.h"

#include "transform/compile/js_scanner.h"

namespace biwa::lsp {

namespace {

using transform::JsToken;
using transform::kNestingMax;
using TokenKind = JsToken::Kind;

class Reader {
  public:
    Reader(const std::vector<JsToken>& tokens, std::size_t at) : tokens_(tokens), at_(at) {}

    JsValue ReadValue(int depth) {
        SkipSpace();
        JsValue value;
        if (AtEnd()) return value;
        const auto& first = tokens_[at_];
        value.span = {first.offset, first.end()};
        if (first.kind == TokenKind::kString && depth <= kNestingMax) {
            value.kind = JsValue::Kind::kString;
            value.string = {ValueOfString(first), value.span};
            ++at_;
            SkipSpace();
            if (AtEnd() || IsOneOf(",)]}") || !first.closed) return value;
            value.kind = JsValue::Kind::kOther;  // "a" + b
        } else if (first.Is('[') && depth <= kNestingMax) {
            ++at_;
            value.kind = JsValue::Kind::kArray;
            value.items = ReadItems(']', depth);
            value.span.end = tokens_[at_ - 1].end();
        } else if (first.Is('{') && depth <= kNestingMax) {
            ++at_;
            value.kind = JsValue::Kind::kObject;
            ReadPairs(value, depth);
            value.span.end = tokens_[at_ - 1].end();
        }
        SkipRest();
        return value;
    }

    // Up to the closing bracket, and that.
    std::vector<JsValue> ReadItems(char close, int depth) {
        std::vector<JsValue> items;
        for (SkipSpace(); !AtEnd() && !tokens_[at_].Is(close); SkipSpace()) {
            if (tokens_[at_].Is(',')) {
                ++at_;
                continue;
            }
            const auto before = at_;
            items.push_back(ReadValue(depth + 1));
            if (at_ == before) break;  // a bracket that does not belong here
        }
        if (!AtEnd() && tokens_[at_].Is(close)) ++at_;
        return items;
    }

  private:
    bool AtEnd() const { return at_ >= tokens_.size(); }
    bool IsOneOf(std::string_view marks) const {
        return tokens_[at_].kind == TokenKind::kMark &&
               marks.find(tokens_[at_].text[0]) != std::string_view::npos;
    }
    void SkipSpace() {
        while (!AtEnd() && (tokens_[at_].kind == TokenKind::kSpace ||
                            tokens_[at_].kind == TokenKind::kComment)) {
            ++at_;
        }
    }

    // The rest of an expression, up to what ends it.
    void SkipRest() {
        int open = 0;
        for (; !AtEnd(); ++at_) {
            if (open == 0 && IsOneOf(",)]}")) return;
            if (IsOneOf("([{")) ++open;
            if (IsOneOf(")]}")) --open;
        }
    }

    void ReadPairs(JsValue& object, int depth) {
        for (SkipSpace(); !AtEnd() && !tokens_[at_].Is('}'); SkipSpace()) {
            const auto& key = tokens_[at_];
            const bool is_key = key.kind == TokenKind::kWord || key.kind == TokenKind::kString;
            ++at_;
            if (!is_key) continue;
            SkipSpace();
            if (AtEnd() || !tokens_[at_].Is(':')) continue;
            ++at_;
            object.keys.push_back(
                {key.kind == TokenKind::kString ? ValueOfString(key) : std::string(key.text),
                 {key.offset, key.end()}});
            object.items.push_back(ReadValue(depth + 1));
        }
        if (!AtEnd()) ++at_;
    }

    const std::vector<JsToken>& tokens_;
    std::size_t at_;
};

void AddCalls(std::string_view text, std::size_t offset, int depth, std::vector<JsCall>& calls) {
    if (depth > kNestingMax) return;
    const auto tokens = transform::ScanJs(text, offset);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].kind == TokenKind::kTemplate) {
            for (const auto& piece :
                 transform::FindPlaceholders(tokens[i].text, tokens[i].offset)) {
                AddCalls(piece.text, piece.offset, depth + 1, calls);
            }
        }
        if (tokens[i].kind != TokenKind::kWord) continue;
        auto next = i + 1;
        while (next < tokens.size() && tokens[next].kind == TokenKind::kSpace) ++next;
        if (next >= tokens.size() || !tokens[next].Is('(')) continue;
        calls.push_back({std::string(tokens[i].text), Reader(tokens, next + 1).ReadItems(')', 0)});
    }
}

}  // namespace

const JsValue* JsValue::Find(std::string_view key) const {
    for (std::size_t i = 0; i < keys.size() && i < items.size(); ++i) {
        if (keys[i].value == key) return &items[i];
    }
    return nullptr;
}

std::vector<JsString> JsValue::Strings() const {
    if (kind == Kind::kString) return {string};
    std::vector<JsString> strings;
    for (const auto& item : items) {
        if (item.kind == Kind::kString) strings.push_back(item.string);
    }
    return strings;
}

JsValue ReadJsValue(const std::vector<JsToken>& tokens) { return Reader(tokens, 0).ReadValue(0); }

std::vector<JsCall> FindCalls(std::string_view text, std::size_t offset) {
    std::vector<JsCall> calls;
    AddCalls(text, offset, 0, calls);
    return calls;
}

}  // namespace biwa::lsp
