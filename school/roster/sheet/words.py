"""The words schools use, in the languages we know: months, genders, guardians, headings.

All are written folded (see `text.folded`): small letters, no accents, words apart. A heading is
compared without its filling words ("date of birth" = "date birth").
"""

from __future__ import annotations

from typing import Final

from school.roster.sheet.targets import Target
from school.roster.sheet.text import folded

_MONTH_NAMES: Final = (
    (
        "january jan janvier janv januar jaenner janner enero ene styczen stycznia sty gennaio "
        "gen januari ocak oca janeiro जनवरी"
    ),
    (
        "february feb fevrier fevr fev februar febrero luty lutego lut febbraio februari subat "
        "sub fevereiro फरवरी"
    ),
    "march mar mars marz mrz marzo marzec marca maart mrt mart marco मार्च",
    "april apr avril avr abril abr kwiecien kwietnia kwi aprile nisan nis अप्रैल",
    "may mai mayo maj maja maggio mag mei mayis maio मई",
    "june jun juin junio czerwiec czerwca cze giugno giu juni haziran haz junho जून",
    "july jul juillet juil julio lipiec lipca lip luglio lug juli temmuz tem julho जुलाई",
    "august aug aout agosto ago sierpien sierpnia sie augustus agustos agu अगस्त",
    (
        "september sep sept septembre septiembre wrzesien wrzesnia wrz settembre set eylul eyl "
        "setembro setiembre सितंबर सितम्बर"
    ),
    (
        "october oct octobre oktober okt octubre pazdziernik pazdziernika paz ottobre ott ekim "
        "eki outubro out अक्टूबर"
    ),
    "november nov novembre noviembre listopad listopada lis kasim kas novembro नवंबर नवम्बर",
    (
        "december dec decembre dezember dez diciembre dic grudzien grudnia gru dicembre aralik "
        "ara dezembro दिसंबर दिसम्बर"
    ),
)
MONTHS: Final[dict[str, int]] = {
    folded(name): number
    for number, names in enumerate(_MONTH_NAMES, start=1)
    for name in names.split()
}

GENDERS: Final[dict[str, str]] = {
    folded(word): code
    for code, words in {
        "F": "f|female|girl|woman|w|weiblich|madchen|feminin|feminine|fille|femme|femenino|"
        "femenina|mujer|nina|hembra|k|kobieta|zenska|dziewczynka|feminino|feminina|menina|"
        "femmina|femminile|v|vrouw|vrouwelijk|meisje|kadin|kiz|महिला|स्त्री|लड़की|छात्रा",
        "M": "m|male|boy|man|mannlich|junge|masculin|masculine|garcon|homme|masculino|hombre|"
        "varon|nino|mezczyzna|meska|chlopiec|menino|maschio|maschile|mannelijk|jongen|e|erkek|"
        "पुरुष|लड़का|छात्र",
        "X": "x|other|non binary|nonbinary|nb|diverse|divers|d|autre|otro|inna|outro|altro|anders|"
        "diger|third gender|transgender|अन्य",
    }.items()
    for word in words.split("|")
}

# Words that fill a heading without telling anything.
FILLERS: Final = frozenset((
    "the", "of", "s", "a", "de", "du", "des", "d", "l", "la", "le", "les", "del", "della", "dell",
    "di", "do", "da", "dos", "das", "der", "die", "den", "van", "het", "el", "en", "y", "e", "i",
    "und", "and", "et",
))

STUDENT_WORDS: Final = frozenset(
    folded(word)
    for word in (
        "student", "students", "pupil", "pupils", "child", "childs", "children", "learner",
        "scholar", "eleve", "eleves", "enfant", "etudiant", "schuler", "schulerin", "schuelerin",
        "schueler", "kind", "kindes", "alumno", "alumna", "alumnos", "estudiante", "nino", "uczen",
        "ucznia", "uczennica", "dziecko", "dziecka", "aluno", "aluna", "estudante", "crianca",
        "alunno", "alunna", "studente", "studentessa", "leerling", "kind", "ogrenci", "ogrencinin",
        "cocuk", "legal", "official", "छात्र", "विद्यार्थी", "छात्रा"
    )
)

# Word → (kind, what the person is to the student, "" when the word doesn't say).
GUARDIAN_WORDS: Final[dict[str, tuple[str, str]]] = {
    folded(word): (kind, relationship)
    for kind, relationship, words in (
        ("father", "Father",
         ("father|fathers|dad|pere|vater|vaters|padre|papa|ojciec|ojca|tata|pai|babbo|vader|baba|"
         "babanin|पिता")),
        ("mother", "Mother",
         "mother|mothers|mom|mum|mere|mutter|madre|mama|matka|matki|mae|moeder|anne|annenin|माता"),
        ("stepfather", "Stepfather", "stepfather|stepdad"),
        ("stepmother", "Stepmother", "stepmother|stepmum|stepmom"),
        ("grandmother", "Grandmother", "grandmother|grandma|nanny"),
        ("grandfather", "Grandfather", "grandfather|grandpa"),
        ("emergency", "",
         ("emergency contact|emergency|contact urgence|personne contacter|notfallkontakt|"
         "contacto emergencia|contato emergencia|contatto emergenza|noodcontact|acil durum")),
        ("guardian", "",
         ("guardian|guardians|parent|parents|parental|carer|carers|caregiver|next kin|"
         "parent guardian|parent carer|parent or guardian|tuteur|tutrice|responsable|"
         "responsable legal|representant legal|eltern|elternteil|erziehungsberechtigter|"
         "erziehungsberechtigte|sorgeberechtigter|sorgeberechtigte|vormund|tutor|tutora|"
         "apoderado|acudiente|rodzic|rodzica|opiekun|opiekuna|opiekun prawny|responsavel|"
         "encarregado|encarregado educacao|genitore|tutore|ouder|ouders|voogd|verzorger|veli|"
         "velinin|velisi|ebeveyn|अभिभावक|संरक्षक")),
        ("contact", "", "contact|kontakt|contacto|contato|contatto|contactpersoon"),
    )
    for word in words.split("|")
}

# One letter is what forms of an office hold: oui/non, ja/nein, sí/no, evet/hayır.
YES_WORDS: Final = (
    "yes y true t 1 x ja j wahr oui o vrai si sí s verdadero tak prawda sim verdadeiro vero waar "
    "evet e doğru हाँ हां"
)
NO_WORDS: Final = (
    "no n false f 0 nein falsch non faux nie fałsz não falso nee onwaar hayır h yanlış नहीं"
)

ORDINALS: Final[dict[str, int]] = {
    "first": 1, "1st": 1, "primary": 1, "main": 1, "second": 2, "2nd": 2, "secondary": 2,
    "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "premier": 1, "deuxieme": 2, "primero": 1,
    "segundo": 2, "erster": 1, "zweiter": 2, "primo": 1, "secondo": 2, "pierwszy": 1, "drugi": 2,
}

RELATIONSHIP: Final = "relationship"
BARE_PHONE: Final = "bare_phone"
BARE_EMAIL: Final = "bare_email"
BARE_NAME: Final = "bare_name"
SERIAL: Final = "serial"
STATUS: Final = "status"
# Recognised as something we have no field for: kept as the school's own, never guessed at.
OWN_FIELD: Final = "own_field"

_HEADINGS: Final[dict[str, str]] = {
    Target.ADMISSION_NUMBER: (
        "admission no|admission number|admission nr|admission num|admission id|admno|adm no|"
        "adm number|student id|student no|student number|student code|pupil id|pupil no|"
        "pupil number|learner id|learner number|id|id no|id number|roll no|roll number|rollno|"
        "enrollment no|enrolment no|enrollment number|registration no|registration number|reg no|"
        "register no|gr no|sid|upn|matricule|numero eleve|numero etudiant|numero matricule|"
        "numero inscription|no eleve|identifiant|schulernummer|schuler nr|schuelernummer|"
        "matrikelnummer|schuler id|matricula|numero matricula|no matricula|numero alumno|"
        "id alumno|expediente|numero expediente|legajo|numer ucznia|nr ucznia|numer legitymacji|"
        "nr legitymacji|numer ewidencyjny|nr ksiegi uczniow|numero aluno|numero processo|"
        "no processo|codigo aluno|matricola|numero matricola|codice studente|codice alunno|"
        "leerlingnummer|leerling nr|stamnummer|ogrenci no|ogrenci numarasi|okul no|numara|"
        "प्रवेश संख्या|अनुक्रमांक|रोल नंबर|नामांकन संख्या"
    ),
    Target.FAMILY_NAME: (
        "surname|last name|lastname|family name|familyname|legal surname|legal last name|sn|"
        "second name|nom famille|nom naissance|nachname|familienname|zuname|apellido|apellidos|"
        "primer apellido|nazwisko|apelido|sobrenome|ultimo nome|cognome|achternaam|familienaam|"
        "soyad|soyadi|soyisim|उपनाम|कुलनाम"
    ),
    Target.GIVEN_NAME: (
        "forename|forenames|first name|firstname|first names|given name|given names|givenname|"
        "legal forename|legal first name|christian name|fore name|prenom|prenoms|vorname|vornamen|"
        "nombres|imie|imiona|primeiro nome|nome proprio|voornaam|voornamen|roepnaam|"
        "ad|adi|isim|ismi|प्रथम नाम"
    ),
    Target.FULL_NAME: (
        "full name|fullname|student name|pupil name|child name|name student|name pupil|"
        "learner name|name child|student full name|nom complet|nom prenom|nom prenoms|"
        "nom eleve|vollstandiger name|name vorname|nachname vorname|vorname nachname|"
        "nombre completo|apellidos nombre|apellidos nombres|nombre apellidos|nombre alumno|"
        "imie nazwisko|nazwisko imie|nome completo|nome aluno|nome cognome|cognome nome|"
        "nominativo|volledige naam|naam leerling|ad soyad|adi soyadi|ogrenci adi|"
        "ogrenci adi soyadi|छात्र नाम|विद्यार्थी नाम|पूरा नाम|surname forename|surname forenames|"
        "last name first name|surname first name|first name last name|forename surname|"
        "name surname|last first"
    ),
    BARE_NAME: "name|names|nom|nombre|nazwa|nome|naam|नाम",
    Target.PREFERRED_NAME: (
        "preferred name|preferred forename|preferred first name|known as|nickname|goes by|"
        "chosen name|usual name|nom usage|prenom usage|prenom usuel|rufname|spitzname|"
        "nombre preferido|imie preferowane|nome preferido|nome social|nome preferito"
    ),
    Target.BIRTH_DATE: (
        "dob|d o b|date birth|birth date|birthdate|birthday|born|born on|day birth|"
        "date naissance|ne le|nee le|geburtsdatum|geb datum|geburtstag|geboren|geboren am|geb|"
        "fecha nacimiento|f nacimiento|fecha nac|nacimiento|nacido|data urodzenia|ur|"
        "data nascimento|nascimento|data nasc|data nascita|nato il|nascita|geboortedatum|"
        "geboren op|gebdatum|dogum tarihi|d tarihi|dogum|जन्म तिथि|जन्मतिथि|जन्म तारीख"
    ),
    Target.GENDER: (
        "gender|sex|gender code|m f|f m|genre|sexe|civilite|geschlecht|genero|sexo|plec|sesso|"
        "genere|geslacht|cinsiyet|cinsiyeti|लिंग"
    ),
    Target.GRADE_LEVEL: (
        "grade|grade level|year|year group|yeargroup|yr|yr group|standard|std|form year|"
        "school year group|niveau|annee|annee etude|jahrgang|jahrgangsstufe|klassenstufe|stufe|"
        "schuljahr|grado|curso|nivel|nivel educativo|poziom|rok|rocznik|ano|ano escolaridade|serie|"
        "anno|anno corso|leerjaar|jaar|groep|sinif seviyesi|seviye|कक्षा स्तर"
    ),
    Target.CLASS_NAME: (
        "class|class name|classname|class group|homeroom|home room|form|form group|tutor group|"
        "reg group|registration group|registration|reg|section|section batch|batch|group|"
        "division|div|class section|room|stream|classe|groupe|division classe|klasse|kl|"
        "klassenbezeichnung|klassenname|clase|grupo|seccion|paralelo|aula|klasa|oddzial|grupa|"
        "turma|sezione|classe sezione|klas|stamgroep|klasnaam|sinif|sinifi|sube|sinif sube|"
        "कक्षा|वर्ग|अनुभाग|कक्षा अनुभाग"
    ),
    Target.ADDRESS: (
        "address|home address|street|street address|address 1|address 2|address 3|"
        "address line 1|address line 2|address line 3|addr|residential address|adresse|"
        "adresse postale|rue|adresse domicile|anschrift|strasse|strasse hausnummer|wohnadresse|"
        "direccion|domicilio|calle|adres|adres zamieszkania|ulica|endereco|morada|rua|indirizzo|"
        "via|straat|straatnaam|woonadres|adresi|ev adresi|पता"
    ),
    Target.TOWN: (
        "town|city|town city|city town|suburb|village|locality|ville|commune|localite|ort|wohnort|"
        "stadt|ciudad|localidad|poblacion|municipio|miasto|miejscowosc|cidade|localidade|citta|"
        "comune|plaats|woonplaats|stad|sehir|il|ilce|शहर|नगर"
    ),
    Target.POSTCODE: (
        "postcode|post code|postal code|zip|zip code|zipcode|pin|pin code|pincode|code postal|cp|"
        "plz|postleitzahl|codigo postal|kod pocztowy|cep|cap|codice postale|eircode|posta kodu|"
        "पिन|पिन कोड"
    ),
    BARE_EMAIL: (
        "email|e mail|mail|email address|e mail address|emailaddress|courriel|adresse email|"
        "adresse e mail|adresse mail|mel|correo|correo electronico|adres e mail|adres email|"
        "poczta|endereco email|posta elettronica|indirizzo email|mailadres|e mailadres|e posta|"
        "eposta|contact email|contact e mail|parent email address|parent e mail address|"
        "family email|family e mail|home email|home e mail|familien email|familien e mail|ईमेल"
    ),
    BARE_PHONE: (
        "phone|phone no|phone number|telephone|telephone no|telephone number|tel|tel no|mobile|"
        "mobile no|mobile number|mobile phone|cell|cell phone|cellphone|cell no|contact no|"
        "contact number|contact phone|contact tel|home phone|home tel|home telephone|family phone|"
        "ph|ph no|gsm|whatsapp|whatsapp no|portable|numero telephone|tel portable|tel domicile|"
        "telefon|telefonu|telefon numarasi|telefonnummer|handy|"
        "handynummer|mobil|telefono|movil|celular|telefono movil|"
        "telefono contacto|numer telefonu|nr telefonu|nr tel|komorka|telefone|telemovel|telemovel|"
        "contacto telefonico|cellulare|numero telefono|telefoon|telefoonnummer|mobiel|"
        "telefon no|cep telefonu|cep tel|ev telefonu|फोन|मोबाइल|मोबाइल नंबर|फ़ोन|दूरभाष"
    ),
    Target.MEDICAL_NOTE: (
        "medical|medical note|medical notes|medical info|medical information|health|"
        "health note|health notes|allergies|allergy|medical conditions|conditions|"
        "infos medicales|informations medicales|sante|allergien|gesundheit|"
        "gesundheitliche hinweise|alergias|salud|informacion medica|alergie|informacje medyczne|"
        "saude|informacao medica|allergie|salute|note mediche|medisch|medische gegevens|alerji|"
        "saglik|चिकित्सा"
    ),
    RELATIONSHIP: (
        "relation|relationship|relation student|relationship student|relationship pupil|"
        "relation child|relationship child|rel|kinship|lien|lien parente|parente|beziehung|"
        "verwandtschaft|parentesco|relacion|pokrewienstwo|stopien pokrewienstwa|relacao|"
        "grau parentesco|parentela|relazione|grado parentela|relatie|yakinlik|yakinligi|संबंध"
    ),
    STATUS: (
        "status|enrolment status|enrollment status|student status|schulerstatus|statut|durum"
    ),
    SERIAL: (
        "sl no|slno|sl|s no|sno|sr no|sr|serial|serial no|serial number|no|nr|num|number|numero|"
        "nummer|"
        "lfd nr|lfd|lp|l p|row|row no|line|index|sira|sira no|sn no|volgnummer|n|क्रमांक|क्र सं|"
        "क्रम संख्या|क्रम"
    ),
    OWN_FIELD: (
        "middle|middle name|middle names|second forename|mother tongue|date admission|"
        "admission date|date entry|entry date|start date|end date|leaving date|date leaving|"
        "joining date|date joining|enrollment date|enrolment date|date inscription|notes|note|"
        "comment|comments|remarks|remark|bemerkung|bemerkungen|notas|observaciones|uwagi|"
        "observacoes|osservazioni|opmerkingen|notlar|aciklama|nationality|language|home language|"
        "religion|blood group|place birth|birth place|geburtsort|lieu naissance|lugar nacimiento|"
        "teacher|class teacher|tutor name|house|bus|bus route|previous school|photo"
    ),
}
FIELD_OF_HEADING: Final[dict[str, str]] = {}


def key_words(heading: str) -> str:
    """A heading folded and without its filling words."""
    words = folded(heading).split()
    kept = [word for word in words if word not in FILLERS]
    return " ".join(kept or words)


for _field, _phrases in _HEADINGS.items():
    for _phrase in _phrases.split("|"):
        FIELD_OF_HEADING.setdefault(key_words(_phrase), str(_field))

TOTALS: Final = (
    "total|totals|grand total|sub total|subtotal|sum|count|gesamt|summe|anzahl|suma|razem|ogolem|"
    "totale|totaal|toplam|ensemble|effectif|कुल"
)
