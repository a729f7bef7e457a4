#include "transform/run/engine_error.h"

#include <fmt/format.h>

#include <charconv>

namespace biwa::transform {

Error InFile(Error error, const Action& action, const SqlText& sql, int lines_before) {
    constexpr std::string_view kLine = "\nLINE ";
    const auto& file = action.location.file;
    const auto at = error.message.find(kLine);
    int engine_line = 0;
    const char* end = nullptr;
    if (at != std::string::npos) {
        const char* begin = error.message.data() + at + kLine.size();
        end = std::from_chars(begin, error.message.data() + error.message.size(), engine_line).ptr;
    }
    const int line = engine_line == 0 ? 0 : sql.FileLine(engine_line - lines_before);
    if (line == 0) {
        error.message = fmt::format("{}: {}", file, error.message);
        return error;
    }
    // The caret stands below its place in the quoted line: a longer number moves it.
    const auto old_number = static_cast<std::size_t>(end - error.message.data());
    const auto number_at = at + kLine.size();
    const auto number = fmt::format("{}", line);
    const auto old_length = old_number - number_at;
    const auto caret_line = error.message.find('\n', number_at);
    if (caret_line != std::string::npos) {
        if (number.size() > old_length) {
            error.message.insert(caret_line + 1, number.size() - old_length, ' ');
        } else {
            const auto surplus = old_length - number.size();
            if (error.message.compare(caret_line + 1, surplus, std::string(surplus, ' ')) == 0)
                error.message.erase(caret_line + 1, surplus);
        }
    }
    error.message.replace(number_at, old_length, number);
    error.message = fmt::format("{}:{}: {}", file, line, error.message);
    return error;
}

bool IsOutOfMemory(const Error& error) {
    return error.message.find("Out of Memory Error") != std::string::npos;
}

}  // namespace biwa::transform
