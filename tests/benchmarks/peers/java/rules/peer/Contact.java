package peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** What is kept of a contact, and its compact binary form. Times are milliseconds UTC. */
final class Contact {
    /** As many message ids are known again. */
    static final int REMEMBERED = 128;

    /** The largest received time so far. */
    long nowMs = Long.MIN_VALUE;
    /** Digests of the latest message ids, oldest first. */
    long[] seen = {};
    /** By feature: times, ascending; null where there are none. */
    final long[][] times;
    /** By feature: amounts that go with the times of a sum. */
    final long[][] amounts;
    /** By feature: the text of the latest event. */
    final String[] texts;
    /** Segments that the contact has been in, by number, ascending. */
    Standing[] standings = {};

    Contact(int features) {
        times = new long[features][];
        amounts = new long[features][];
        texts = new String[features];
    }

    /** Membership of one segment: a member where the sequence is odd, until a moment if nothing happens. */
    static final class Standing {
        final int segment;
        int sequence;
        long sinceMs;
        long untilMs;

        Standing(int segment) {
            this.segment = segment;
        }

        boolean isMember() {
            return (sequence & 1) == 1;
        }
    }

    /** Of a segment, or null. */
    Standing standing(int segment) {
        for (Standing standing : standings) {
            if (standing.segment == segment) {
                return standing;
            }
        }
        return null;
    }

    Standing newStanding(int segment) {
        int place = 0;
        while (place < standings.length && standings[place].segment < segment) {
            place++;
        }
        Standing[] more = new Standing[standings.length + 1];
        System.arraycopy(standings, 0, more, 0, place);
        System.arraycopy(standings, place, more, place + 1, standings.length - place);
        more[place] = new Standing(segment);
        standings = more;
        return more[place];
    }

    /** Notes a message id; returns false where it is known. */
    boolean isNew(String messageId) {
        long digest = digest(messageId);
        for (long each : seen) {
            if (each == digest) {
                return false;
            }
        }
        int kept = Math.min(seen.length, REMEMBERED - 1);
        long[] more = Arrays.copyOfRange(seen, seen.length - kept, seen.length + 1);
        more[kept] = digest;
        seen = more;
        return true;
    }

    private static long digest(String text) {
        long found = 0xcbf29ce484222325L;
        for (int place = 0; place < text.length(); place++) {
            found = (found ^ text.charAt(place)) * 0x100000001b3L;
        }
        return found;
    }

    byte[] toBytes() {
        ByteBuffer to = ByteBuffer.allocate(size());
        to.putShort((short) times.length).putLong(nowMs).put((byte) seen.length);
        for (long digest : seen) {
            to.putLong(digest);
        }
        for (int feature = 0; feature < times.length; feature++) {
            if (times[feature] != null) {
                put(to, feature);
            }
        }
        to.putShort((short) -1).putShort((short) standings.length);
        for (Standing standing : standings) {
            to.putShort((short) standing.segment).putInt(standing.sequence);
            to.putLong(standing.sinceMs).putLong(standing.untilMs);
        }
        return Arrays.copyOf(to.array(), to.position());
    }

    private int size() {
        int size = 2 + 8 + 1 + 8 * seen.length + 4 + 22 * standings.length;
        for (int feature = 0; feature < times.length; feature++) {
            if (times[feature] != null) {
                size += 5 + 16 * times[feature].length;
                size += texts[feature] == null ? 2 : 2 + 3 * texts[feature].length();
            }
        }
        return size;
    }

    private void put(ByteBuffer to, int feature) {
        long[] own = times[feature];
        to.putShort((short) feature).put((byte) (amounts[feature] == null ? 0 : 1)).putShort((short) own.length);
        for (int place = 0; place < own.length; place++) {
            to.putLong(own[place]);
            if (amounts[feature] != null) {
                to.putLong(amounts[feature][place]);
            }
        }
        byte[] text = texts[feature] == null ? null : texts[feature].getBytes(StandardCharsets.UTF_8);
        to.putShort((short) (text == null ? -1 : text.length));
        if (text != null) {
            to.put(text);
        }
    }

    static Contact of(byte[] bytes) {
        ByteBuffer from = ByteBuffer.wrap(bytes);
        Contact contact = new Contact(from.getShort());
        contact.nowMs = from.getLong();
        contact.seen = new long[from.get() & 0xff];
        for (int place = 0; place < contact.seen.length; place++) {
            contact.seen[place] = from.getLong();
        }
        for (int feature = from.getShort(); feature >= 0; feature = from.getShort()) {
            contact.take(from, feature);
        }
        contact.standings = new Standing[from.getShort()];
        for (int place = 0; place < contact.standings.length; place++) {
            Standing standing = new Standing(from.getShort());
            standing.sequence = from.getInt();
            standing.sinceMs = from.getLong();
            standing.untilMs = from.getLong();
            contact.standings[place] = standing;
        }
        return contact;
    }

    private void take(ByteBuffer from, int feature) {
        boolean hasAmounts = from.get() == 1;
        int count = from.getShort();
        times[feature] = new long[count];
        amounts[feature] = hasAmounts ? new long[count] : null;
        for (int place = 0; place < count; place++) {
            times[feature][place] = from.getLong();
            if (hasAmounts) {
                amounts[feature][place] = from.getLong();
            }
        }
        int length = from.getShort();
        if (length >= 0) {
            byte[] text = new byte[length];
            from.get(text);
            texts[feature] = new String(text, StandardCharsets.UTF_8);
        }
    }
}
