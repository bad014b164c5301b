// Judges PDF files with veraPDF: java -cp JARS Conforms.java FLAVOUR[,FLAVOUR] FILE...
// Prints one line for each broken rule: file, flavour, clause, what is wrong and how often. Nothing where all is well.

import java.io.FileInputStream;
import java.util.TreeMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion.Status;

class Conforms {
    static final int FAULTS_AT_MOST = 500;

    public static void main(String[] words) throws Exception {
        Logger.getLogger("").setLevel(Level.OFF);
        VeraGreenfieldFoundryProvider.initialise();
        for (int i = 1; i < words.length; i++) {
            for (String flavour : words[0].split(",")) {
                judge(words[i], PDFAFlavour.fromString(flavour));
            }
        }
    }

    static void judge(String file, PDFAFlavour flavour) throws Exception {
        var foundry = Foundries.defaultInstance();
        try (var pdf = foundry.createParser(new FileInputStream(file), flavour);
                var validator = foundry.createValidator(flavour, FAULTS_AT_MOST, false, false, false)) {
            var broken = new TreeMap<String, Integer>();
            var result = validator.validate(pdf);
            for (var one : result.getTestAssertions()) {
                if (one.getStatus() == Status.FAILED) {
                    broken.merge(one.getRuleId().getClause() + ": " + one.getMessage(), 1, Integer::sum);
                }
            }
            if (!result.isCompliant() && broken.isEmpty()) {
                broken.put("not compliant", 1);
            }
            broken.forEach((what, often) -> System.out.println(file + " " + flavour + " " + what + " x" + often));
        }
    }
}
