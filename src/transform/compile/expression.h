// The part of JavaScript that needs no JavaScript engine: literals, template literals and calls of
// Dataform's own functions. Whatever is beyond it is told apart, so that an engine can take it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "transform/compile/problem.h"

namespace biwa::transform {

struct Expression {
    enum class Kind {
        kNull,
        kBool,
        kNumber,
        kString,
        kTemplate,  // `a ${b} c`: texts a, c around items b
        kArray,
        kObject,  // items by keys
        kName,    // a.b.c
        kCall,    // text(items…)
        kNot,     // !items[0]
    };
    struct Text {
        std::size_t offset = 0;
        std::string text;
    };

    Kind kind = Kind::kNull;
    std::size_t offset = 0;  // byte of the file
    bool truth = false;
    double number = 0;
    std::string text;  // kString; kName and kCall: the dotted name
    std::vector<Expression> items;
    std::vector<Text> texts;  // kTemplate
    std::vector<Text> keys;   // kObject, as many as items

    // Of an object: the value of a key, or null.
    const Expression* Find(std::string_view key) const;
};

// "a string", "an object": for messages.
std::string_view Describe(Expression::Kind kind);

// Reads the expression that is all of `text`, which begins at `offset` of its file.
Parsed<Expression> ParseExpression(std::string_view text, std::size_t offset);

}  // namespace biwa::transform
