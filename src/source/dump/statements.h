// SQL as pg_dump writes it, cut into statements and these into tokens: enough to read what the
// tables are, and to pass over all the rest (bodies of functions, comments, views).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace biwa::dump {

// Gathers lines to statements. Quotes and comments may go over any number of lines.
class StatementReader {
  public:
    // Takes a line in. True when a statement has ended in it, at its end or before; what follows it
    // in the line is the beginning of the next.
    bool Add(std::string_view line);
    // The statement that has ended, without its semicolon, until the next Add.
    const std::string& statement() const { return statement_; }
    // Whether nothing of a next statement has been seen.
    bool is_between() const { return state_ == State::kPlain && rest_.empty(); }

  private:
    enum class State { kPlain, kQuote, kEscapedQuote, kIdentifier, kDollar, kComment };

    State state_ = State::kPlain;
    std::string tag_;        // of the dollar quote that is open
    int comment_depth_ = 0;  // block comments may hold others
    std::string rest_;
    std::string statement_;
};

struct Token {
    enum class Kind { kWord, kIdentifier, kText, kNumber, kSymbol };
    Kind kind;
    std::string text;  // a word in small letters; what was in quotes, without them

    bool Is(std::string_view word) const { return kind == Kind::kWord && text == word; }
    bool IsSymbol(char c) const {
        return kind == Kind::kSymbol && text.size() == 1 && text[0] == c;
    }
    bool IsName() const { return kind == Kind::kWord || kind == Kind::kIdentifier; }
};

// Any bytes become tokens; quotes that are not closed end with the text.
std::vector<Token> Tokenize(std::string_view statement);

}  // namespace biwa::dump
