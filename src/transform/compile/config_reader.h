// Values of a config, read one by one; what is wrong with them is collected.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transform/compile/config.h"

namespace biwa::transform {

// ". Did you mean "x"?", or nothing.
std::string MeantHint(std::string_view name, const std::vector<std::string>& candidates);

// Both references must outlive it.
class ConfigReader {
  public:
    ConfigReader(const ModelsConfig& settings, std::vector<Problem>& problems)
        : settings_(settings), problems_(problems) {}

    using Field = std::function<void(const Expression&)>;
    using Fields = std::map<std::string, Field, std::less<>>;
    // Reads the value of a key, which a message of another type then names: what JavaScript made
    // has no place of its own.
    void ReadField(const std::string& key, const Field& read, const Expression& value);
    // Hands each value of the object to its field. `what` is for messages.
    void ReadObject(const Expression& object, std::string_view what, const Fields& fields);

    std::string Text(const Expression& value);
    // A name of a table, dataset or project.
    std::string Name(const Expression& value);
    bool Bool(const Expression& value);
    int Integer(const Expression& value);
    // One text, or an array of them.
    std::vector<std::string> Texts(const Expression& value);
    TextPairs Pairs(const Expression& value);
    std::optional<std::chrono::milliseconds> Duration(const Expression& value);
    std::vector<ColumnNote> Columns(const Expression& value);
    std::vector<TableReference> Dependencies(const Expression& value);
    AssertionsConfig Assertions(const Expression& value);
    Severity ReadSeverity(const Expression& value);
    Freshness ReadFreshness(const Expression& value);
    Intervals ReadIntervals(const Expression& value);
    ModelHistory ReadHistory(const Expression& value);
    // A table named by a text, an array or an object.
    std::optional<TableReference> Table(const Expression& value);
    // As JSON's text.
    std::string Json(const Expression& value);

    // One of the names, in small or capital letters.
    template <typename Value, std::size_t count>
    std::optional<Value> Choice(
        const Expression& value,
        const std::array<std::pair<std::string_view, Value>, count>& choices) {
        std::vector<std::string> names;
        for (const auto& choice : choices) names.emplace_back(choice.first);
        const auto found = FindChoice(value, names);
        if (!found) return std::nullopt;
        return choices[*found].second;
    }

    void Expected(const Expression& found, std::string_view expected);
    void Add(Problem problem) { problems_.push_back(std::move(problem)); }

  private:
    std::optional<std::size_t> FindChoice(const Expression& value,
                                          const std::vector<std::string>& names);
    void AddColumn(const std::vector<std::string>& path, const Expression& value,
                   std::vector<ColumnNote>& columns);

    const ModelsConfig& settings_;
    std::vector<Problem>& problems_;
};

}  // namespace biwa::transform
