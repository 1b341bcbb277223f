package peer;

import java.util.Arrays;
import java.util.List;

/** What is kept of some events. Times are milliseconds UTC, amounts are millionths. */
record Feature(Kind kind, int number, List<String> events, String[] path, int newest, long withinMs) {
    enum Kind { COUNT, SUM, LATEST }

    /** Takes an event into a contact. */
    void fold(Contact contact, Event event, long timeMs, long nowMs) {
        switch (kind) {
            case COUNT -> insert(contact, timeMs, 0, false, newest);
            case SUM -> {
                if (event.at(path) instanceof Number amount) {
                    insert(contact, timeMs, Math.round(amount.doubleValue() * 1e6), true, Integer.MAX_VALUE);
                    dropBefore(contact, nowMs - withinMs);
                }
            }
            case LATEST -> {
                long[] latest = contact.times[number];
                if (latest == null || latest[0] <= timeMs) {
                    contact.times[number] = new long[] {timeMs};
                    contact.texts[number] = event.at(path) instanceof String text ? text : null;
                }
            }
        }
    }

    private void insert(Contact contact, long timeMs, long amount, boolean hasAmounts, int most) {
        long[] old = contact.times[number] == null ? new long[0] : contact.times[number];
        long[] oldAmounts = contact.amounts[number] == null ? new long[0] : contact.amounts[number];
        int place = old.length;
        while (place > 0 && old[place - 1] > timeMs) {
            place--;
        }
        contact.times[number] = inserted(old, place, timeMs, most);
        if (hasAmounts) {
            contact.amounts[number] = inserted(oldAmounts, place, amount, most);
        }
    }

    private static long[] inserted(long[] old, int place, long value, int most) {
        long[] more = new long[old.length + 1];
        System.arraycopy(old, 0, more, 0, place);
        more[place] = value;
        System.arraycopy(old, place, more, place + 1, old.length - place);
        return more.length > most ? Arrays.copyOfRange(more, more.length - most, more.length) : more;
    }

    private void dropBefore(Contact contact, long beginMs) {
        long[] times = contact.times[number];
        int gone = 0;
        while (gone < times.length && times[gone] <= beginMs) {
            gone++;
        }
        if (gone > 0) {
            contact.times[number] = Arrays.copyOfRange(times, gone, times.length);
            contact.amounts[number] = Arrays.copyOfRange(contact.amounts[number], gone, times.length);
        }
    }
}
