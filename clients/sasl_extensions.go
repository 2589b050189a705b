package clients

import (
	"encoding/json"
	"strings"
)

// isExtension reports whether a client may send a SASL extension (RFC 7628,
// section 3.1).
func isExtension(name, value string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	for _, c := range []byte(value) {
		if (c < ' ' || c > '~') && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return name != "" && !strings.EqualFold(name, "auth")
}

// extensionsText is comparable; "" where there are none.
func extensionsText(extensions map[string]string) string {
	if len(extensions) == 0 {
		return ""
	}
	text, _ := json.Marshal(extensions) // strings alone
	return string(text)
}

func extensionsOf(text string) map[string]string {
	var extensions map[string]string
	_ = json.Unmarshal([]byte(text), &extensions) // extensionsText made it
	return extensions
}
