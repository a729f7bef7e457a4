// The text of a project file, as any of the kinds: it ends in values or in problems with places.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "project/secrets.h"
#include "project/settings.h"
#include "project/yaml_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<std::vector<biwa::Setting>> kinds = {
        biwa::BiwaSettings(), biwa::StreamSettings(), biwa::DashboardSettings(),
        biwa::ConnectionSettings("postgres",
                                 {{.name = "url"},
                                  {.name = "port", .type = biwa::SettingType::kInteger},
                                  {.name = "password", .type = biwa::SettingType::kSecret}})};
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    // What reads the files refuses other texts before.
    if (!biwa::IsValidUtf8(text)) return 0;
    (void)biwa::HoldsLiteralPassword(text);
    biwa::Problems problems;
    const auto document = biwa::YamlDocument::Parse("f", text, problems);
    BIWA_CHECK(document.has_value() == problems.empty());
    if (!document) return 0;
    (void)document->Peek("url");
    for (const auto& settings : kinds) {
        (void)document->Check(settings, biwa::OtherNames::kRefused, problems);
    }
    if (!problems.empty()) BIWA_CHECK(biwa::IsValidUtf8(problems.ToError().message));
    return 0;
}
