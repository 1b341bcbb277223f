package peer;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import java.util.Map;

/** What a record says. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Event(
    String messageId,
    String userId,
    String event,
    String timestamp,
    Map<String, Object> properties,
    Map<String, Object> context) {

    /** What stands at a path, or null. */
    Object at(String[] path) {
        Object found = path[0].equals("context") ? context : properties;
        for (int step = 1; step < path.length; step++) {
            if (!(found instanceof Map<?, ?> object)) {
                return null;
            }
            found = object.get(path[step]);
        }
        return found;
    }
}
