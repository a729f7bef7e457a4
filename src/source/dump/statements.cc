#include "source/dump/statements.h"

#include <cctype>

namespace biwa::dump {

namespace {

bool IsWordBegin(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalpha(byte) || c == '_' || byte >= 0x80;
}
bool IsWordPart(char c) { return IsWordBegin(c) || (c >= '0' && c <= '9') || c == '$'; }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

// "$$" or "$tag$" at the front; empty when there is none.
std::string_view DollarTag(std::string_view text) {
    if (text.size() < 2 || text[0] != '$') return {};
    std::size_t end = 1;
    while (end < text.size() && IsWordPart(text[end]) && text[end] != '$') ++end;
    if (end == text.size() || text[end] != '$' || (text[1] >= '0' && text[1] <= '9')) return {};
    return text.substr(0, end + 1);
}

// Whether a quote that follows `before` reads backslashes: E'…'.
bool HasEscapes(std::string_view before) {
    if (before.empty() || (before.back() != 'E' && before.back() != 'e')) return false;
    return before.size() == 1 || !IsWordPart(before[before.size() - 2]);
}

}  // namespace

bool StatementReader::Add(std::string_view line) {
    statement_.clear();
    bool has_ended = false;
    for (std::size_t at = 0; at < line.size(); ++at) {
        const char c = line[at];
        const auto rest = line.substr(at);
        switch (state_) {
            case State::kPlain:
                if (rest.starts_with("--")) {
                    at = line.size();
                    continue;
                }
                if (rest.starts_with("/*")) {
                    state_ = State::kComment;
                    comment_depth_ = 1;
                    ++at;
                    continue;
                }
                if (c == ';') {
                    // Two in one line: none of those that are looked for.
                    statement_ = std::move(rest_);
                    rest_.clear();
                    has_ended = true;
                    continue;
                }
                if (c == '\'') {
                    state_ = HasEscapes(rest_) ? State::kEscapedQuote : State::kQuote;
                } else if (c == '"') {
                    state_ = State::kIdentifier;
                } else if (const auto tag = DollarTag(rest);
                           !tag.empty() && (rest_.empty() || !IsWordPart(rest_.back()))) {
                    state_ = State::kDollar;
                    tag_ = tag;
                    rest_ += tag;
                    at += tag.size() - 1;
                    continue;
                } else if (rest_.empty() && IsSpace(c)) {
                    continue;
                }
                break;
            case State::kQuote:
                // One that is doubled closes and opens.
                if (c == '\'') state_ = State::kPlain;
                break;
            case State::kEscapedQuote:
                if (c == '\\' && at + 1 < line.size()) {
                    rest_ += c;
                    rest_ += line[++at];
                    continue;
                }
                if (rest.starts_with("''")) {
                    rest_ += "''";
                    ++at;
                    continue;
                }
                if (c == '\'') state_ = State::kPlain;
                break;
            case State::kIdentifier:
                if (c == '"') state_ = State::kPlain;
                break;
            case State::kDollar:
                if (rest.starts_with(tag_)) {
                    rest_ += tag_;
                    at += tag_.size() - 1;
                    state_ = State::kPlain;
                    continue;
                }
                break;
            case State::kComment:
                if (rest.starts_with("/*")) {
                    ++comment_depth_;
                    ++at;
                } else if (rest.starts_with("*/")) {
                    ++at;
                    if (--comment_depth_ == 0) state_ = State::kPlain;
                }
                continue;
        }
        rest_ += c;
    }
    if (!rest_.empty()) rest_ += '\n';
    return has_ended;
}

std::vector<Token> Tokenize(std::string_view text) {
    using Kind = Token::Kind;
    std::vector<Token> tokens;
    // What stands between quotes `quote` from `at` on, which is moved behind the closing one.
    const auto quoted = [&](std::size_t& at, char quote, bool escapes) {
        std::string content;
        for (; at < text.size(); ++at) {
            if (escapes && text[at] == '\\' && at + 1 < text.size()) {
                content += text[++at];
            } else if (text[at] != quote) {
                content += text[at];
            } else if (at + 1 < text.size() && text[at + 1] == quote) {
                content += text[at++];
            } else {
                ++at;
                break;
            }
        }
        return content;
    };
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (IsSpace(c)) {
            ++at;
        } else if (c == '\'') {
            const bool escapes = HasEscapes(text.substr(0, at));
            if (escapes) tokens.pop_back();
            tokens.push_back({Kind::kText, quoted(++at, '\'', escapes)});
        } else if (c == '"') {
            tokens.push_back({Kind::kIdentifier, quoted(++at, '"', false)});
        } else if (const auto tag = DollarTag(text.substr(at)); !tag.empty()) {
            const auto begin = at + tag.size();
            const auto end = std::min(text.find(tag, begin), text.size());
            tokens.push_back({Kind::kText, std::string(text.substr(begin, end - begin))});
            at = std::min(end + tag.size(), text.size());
        } else if (IsWordBegin(c)) {
            Token word{Kind::kWord, ""};
            for (; at < text.size() && IsWordPart(text[at]); ++at) {
                word.text += text[at] >= 'A' && text[at] <= 'Z'
                                 ? static_cast<char>(text[at] - 'A' + 'a')
                                 : text[at];
            }
            tokens.push_back(std::move(word));
        } else if (c >= '0' && c <= '9') {
            Token number{Kind::kNumber, ""};
            while (at < text.size() && text[at] >= '0' && text[at] <= '9')
                number.text += text[at++];
            tokens.push_back(std::move(number));
        } else {
            tokens.push_back({Kind::kSymbol, std::string(1, c)});
            ++at;
        }
    }
    return tokens;
}

}  // namespace biwa::dump
