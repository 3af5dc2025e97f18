//! The places of the written world: countries with their cities, borders and rivers, written down by hand.
//!
//! Coordinates are degrees, north and east positive, good to about a tenth of a degree. Left out on purpose: cities that share
//! their name with a country or a well-known other city, cities on two continents, and places whose country is disputed.
//! A country whose seat of government is disputed, multiple or no city of this table has no capital here.

use Continent::{Africa, Asia, Europe, NorthAmerica, Oceania, SouthAmerica};

/// A continent, after the United Nations' grouping; Central America and the Caribbean count as North America, and Russia's cities
/// as the side of the Ural that they lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Continent {
    Africa,
    Asia,
    Europe,
    NorthAmerica,
    Oceania,
    SouthAmerica,
}

impl Continent {
    /// All of them, in alphabetical order.
    pub(crate) const ALL: [Self; 6] = [Africa, Asia, Europe, NorthAmerica, Oceania, SouthAmerica];

    /// Its English name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Africa => "Africa",
            Asia => "Asia",
            Europe => "Europe",
            NorthAmerica => "North America",
            Oceania => "Oceania",
            SouthAmerica => "South America",
        }
    }
}

/// A row of the city table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CityRow {
    pub(crate) name: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

/// A row of the country table. A country on two continents has one row for each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountryRow {
    /// With its article, as it stands inside a sentence.
    pub(crate) phrase: &'static str,
    pub(crate) continent: Continent,
    /// Whether the first city is the capital.
    pub(crate) capital: bool,
    pub(crate) cities: &'static [CityRow],
}

/// A row of the river table: countries that it flows through. Those that it only touches as a border are left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RiverRow {
    pub(crate) name: &'static str,
    pub(crate) countries: &'static [&'static str],
}

const fn at(name: &'static str, latitude: f64, longitude: f64) -> CityRow {
    CityRow {
        name,
        latitude,
        longitude,
    }
}

/// A country whose first city is its capital.
const fn seat(
    phrase: &'static str,
    continent: Continent,
    cities: &'static [CityRow],
) -> CountryRow {
    CountryRow {
        phrase,
        continent,
        capital: true,
        cities,
    }
}

/// A country, or the part of one, without a capital in this table.
const fn land(
    phrase: &'static str,
    continent: Continent,
    cities: &'static [CityRow],
) -> CountryRow {
    CountryRow {
        phrase,
        continent,
        capital: false,
        cities,
    }
}

const fn river(name: &'static str, countries: &'static [&'static str]) -> RiverRow {
    RiverRow { name, countries }
}

/// The countries and their cities.
#[rustfmt::skip]
pub(crate) const COUNTRIES: &[CountryRow] = &[
    seat("Iceland", Europe, &[at("Reykjavik", 64.1, -21.9), at("Akureyri", 65.7, -18.1)]),
    seat("Norway", Europe, &[at("Oslo", 59.9, 10.8), at("Bergen", 60.4, 5.3), at("Trondheim", 63.4, 10.4), at("Tromso", 69.6, 19.0)]),
    seat("Sweden", Europe, &[at("Stockholm", 59.3, 18.1), at("Gothenburg", 57.7, 12.0), at("Kiruna", 67.9, 20.2)]),
    seat("Finland", Europe, &[at("Helsinki", 60.2, 24.9), at("Turku", 60.5, 22.3), at("Oulu", 65.0, 25.5)]),
    seat("Denmark", Europe, &[at("Copenhagen", 55.7, 12.6)]),
    seat("Ireland", Europe, &[at("Dublin", 53.3, -6.3), at("Galway", 53.3, -9.1)]),
    seat("the United Kingdom", Europe, &[at("London", 51.5, -0.1), at("Edinburgh", 55.9, -3.2), at("Glasgow", 55.9, -4.3), at("Cardiff", 51.5, -3.2)]),
    seat("France", Europe, &[at("Paris", 48.9, 2.4), at("Lyon", 45.8, 4.8), at("Marseille", 43.3, 5.4), at("Toulouse", 43.6, 1.4), at("Strasbourg", 48.6, 7.8)]),
    seat("Spain", Europe, &[at("Madrid", 40.4, -3.7), at("Barcelona", 41.4, 2.2), at("Seville", 37.4, -6.0), at("Bilbao", 43.3, -2.9)]),
    seat("Portugal", Europe, &[at("Lisbon", 38.7, -9.1), at("Porto", 41.1, -8.6)]),
    seat("Germany", Europe, &[at("Berlin", 52.5, 13.4), at("Hamburg", 53.6, 10.0), at("Munich", 48.1, 11.6)]),
    seat("the Netherlands", Europe, &[at("Amsterdam", 52.4, 4.9), at("Rotterdam", 51.9, 4.5)]),
    seat("Belgium", Europe, &[at("Brussels", 50.8, 4.4)]),
    seat("Switzerland", Europe, &[at("Bern", 46.9, 7.4), at("Zurich", 47.4, 8.5), at("Geneva", 46.2, 6.1)]),
    seat("Austria", Europe, &[at("Vienna", 48.2, 16.4), at("Salzburg", 47.8, 13.0)]),
    seat("Italy", Europe, &[at("Rome", 41.9, 12.5), at("Milan", 45.5, 9.2), at("Naples", 40.9, 14.3), at("Venice", 45.4, 12.3)]),
    seat("Greece", Europe, &[at("Athens", 38.0, 23.7), at("Thessaloniki", 40.6, 22.9)]),
    seat("Poland", Europe, &[at("Warsaw", 52.2, 21.0), at("Krakow", 50.1, 19.9), at("Gdansk", 54.4, 18.6)]),
    seat("Czechia", Europe, &[at("Prague", 50.1, 14.4), at("Brno", 49.2, 16.6)]),
    seat("Slovakia", Europe, &[at("Bratislava", 48.1, 17.1)]),
    seat("Hungary", Europe, &[at("Budapest", 47.5, 19.0)]),
    seat("Romania", Europe, &[at("Bucharest", 44.4, 26.1)]),
    seat("Bulgaria", Europe, &[at("Sofia", 42.7, 23.3), at("Varna", 43.2, 27.9)]),
    seat("Serbia", Europe, &[at("Belgrade", 44.8, 20.5)]),
    seat("Croatia", Europe, &[at("Zagreb", 45.8, 16.0), at("Dubrovnik", 42.6, 18.1)]),
    seat("Slovenia", Europe, &[at("Ljubljana", 46.1, 14.5)]),
    seat("Albania", Europe, &[at("Tirana", 41.3, 19.8)]),
    seat("Ukraine", Europe, &[at("Kyiv", 50.5, 30.5), at("Lviv", 49.8, 24.0), at("Odesa", 46.5, 30.7), at("Kharkiv", 50.0, 36.2)]),
    seat("Belarus", Europe, &[at("Minsk", 53.9, 27.6)]),
    seat("Lithuania", Europe, &[at("Vilnius", 54.7, 25.3)]),
    seat("Latvia", Europe, &[at("Riga", 56.9, 24.1)]),
    seat("Estonia", Europe, &[at("Tallinn", 59.4, 24.8)]),
    seat("Moldova", Europe, &[at("Chisinau", 47.0, 28.9)]),
    seat("Russia", Europe, &[at("Moscow", 55.8, 37.6), at("Kazan", 55.8, 49.1), at("Murmansk", 69.0, 33.1)]),
    land("Russia", Asia, &[at("Novosibirsk", 55.0, 82.9), at("Irkutsk", 52.3, 104.3), at("Yakutsk", 62.0, 129.7), at("Vladivostok", 43.1, 131.9), at("Magadan", 59.6, 150.8)]),
    seat("Turkey", Asia, &[at("Ankara", 39.9, 32.9), at("Izmir", 38.4, 27.1), at("Antalya", 36.9, 30.7)]),
    seat("Georgia", Asia, &[at("Tbilisi", 41.7, 44.8), at("Batumi", 41.6, 41.6)]),
    seat("Armenia", Asia, &[at("Yerevan", 40.2, 44.5)]),
    seat("Azerbaijan", Asia, &[at("Baku", 40.4, 49.9)]),
    seat("Lebanon", Asia, &[at("Beirut", 33.9, 35.5)]),
    seat("Syria", Asia, &[at("Damascus", 33.5, 36.3), at("Aleppo", 36.2, 37.2)]),
    seat("Jordan", Asia, &[at("Amman", 31.9, 35.9)]),
    seat("Iraq", Asia, &[at("Baghdad", 33.3, 44.4)]),
    seat("Iran", Asia, &[at("Tehran", 35.7, 51.4), at("Isfahan", 32.7, 51.7), at("Mashhad", 36.3, 59.6)]),
    seat("Saudi Arabia", Asia, &[at("Riyadh", 24.7, 46.7), at("Jeddah", 21.5, 39.2)]),
    seat("Yemen", Asia, &[at("Sanaa", 15.4, 44.2)]),
    seat("Oman", Asia, &[at("Muscat", 23.6, 58.4), at("Salalah", 17.0, 54.1)]),
    seat("Qatar", Asia, &[at("Doha", 25.3, 51.5)]),
    seat("Kazakhstan", Asia, &[at("Astana", 51.2, 71.4), at("Almaty", 43.2, 76.9)]),
    seat("Uzbekistan", Asia, &[at("Tashkent", 41.3, 69.2), at("Samarkand", 39.7, 67.0)]),
    seat("Turkmenistan", Asia, &[at("Ashgabat", 38.0, 58.4)]),
    seat("Kyrgyzstan", Asia, &[at("Bishkek", 42.9, 74.6)]),
    seat("Tajikistan", Asia, &[at("Dushanbe", 38.6, 68.8)]),
    seat("Afghanistan", Asia, &[at("Kabul", 34.5, 69.2), at("Kandahar", 31.6, 65.7)]),
    seat("Pakistan", Asia, &[at("Islamabad", 33.7, 73.1), at("Karachi", 24.9, 67.0), at("Lahore", 31.5, 74.3)]),
    land("India", Asia, &[at("Mumbai", 19.1, 72.9), at("Chennai", 13.1, 80.3), at("Kolkata", 22.6, 88.4), at("Bengaluru", 13.0, 77.6)]),
    seat("Nepal", Asia, &[at("Kathmandu", 27.7, 85.3)]),
    seat("Bhutan", Asia, &[at("Thimphu", 27.5, 89.6)]),
    seat("Bangladesh", Asia, &[at("Dhaka", 23.8, 90.4)]),
    land("Sri Lanka", Asia, &[at("Colombo", 6.9, 79.9)]),
    seat("Myanmar", Asia, &[at("Naypyidaw", 19.8, 96.1), at("Yangon", 16.8, 96.2), at("Mandalay", 22.0, 96.1)]),
    seat("Thailand", Asia, &[at("Bangkok", 13.8, 100.5), at("Phuket", 7.9, 98.4)]),
    seat("Laos", Asia, &[at("Vientiane", 18.0, 102.6)]),
    land("Cambodia", Asia, &[at("Battambang", 13.1, 103.2)]),
    seat("Vietnam", Asia, &[at("Hanoi", 21.0, 105.8), at("Dalat", 11.9, 108.4)]),
    land("Malaysia", Asia, &[at("Kuching", 1.6, 110.3), at("Ipoh", 4.6, 101.1)]),
    land("Indonesia", Asia, &[at("Jakarta", -6.2, 106.8), at("Surabaya", -7.3, 112.7), at("Medan", 3.6, 98.7), at("Makassar", -5.1, 119.4), at("Manado", 1.5, 124.8)]),
    seat("the Philippines", Asia, &[at("Manila", 14.6, 121.0), at("Cebu", 10.3, 123.9), at("Davao", 7.1, 125.6)]),
    seat("China", Asia, &[at("Beijing", 39.9, 116.4), at("Shanghai", 31.2, 121.5), at("Guangzhou", 23.1, 113.3), at("Chengdu", 30.7, 104.1), at("Wuhan", 30.6, 114.3), at("Harbin", 45.8, 126.5), at("Urumqi", 43.8, 87.6)]),
    seat("Mongolia", Asia, &[at("Ulaanbaatar", 47.9, 106.9)]),
    seat("South Korea", Asia, &[at("Seoul", 37.6, 127.0), at("Busan", 35.2, 129.1)]),
    seat("North Korea", Asia, &[at("Pyongyang", 39.0, 125.8)]),
    seat("Japan", Asia, &[at("Tokyo", 35.7, 139.7), at("Osaka", 34.7, 135.5), at("Sapporo", 43.1, 141.4), at("Fukuoka", 33.6, 130.4)]),
    seat("Morocco", Africa, &[at("Rabat", 34.0, -6.8), at("Casablanca", 33.6, -7.6), at("Marrakesh", 31.6, -8.0)]),
    seat("Algeria", Africa, &[at("Algiers", 36.8, 3.1), at("Oran", 35.7, -0.6), at("Tamanrasset", 22.8, 5.5)]),
    seat("Tunisia", Africa, &[at("Tunis", 36.8, 10.2)]),
    seat("Libya", Africa, &[at("Tripoli", 32.9, 13.2), at("Benghazi", 32.1, 20.1)]),
    seat("Egypt", Africa, &[at("Cairo", 30.0, 31.2), at("Alexandria", 31.2, 29.9), at("Aswan", 24.1, 32.9)]),
    seat("Sudan", Africa, &[at("Khartoum", 15.6, 32.5)]),
    land("Ethiopia", Africa, &[at("Gondar", 12.6, 37.5)]),
    seat("Eritrea", Africa, &[at("Asmara", 15.3, 38.9)]),
    seat("Somalia", Africa, &[at("Mogadishu", 2.0, 45.3), at("Kismayo", -0.4, 42.5)]),
    seat("Kenya", Africa, &[at("Nairobi", -1.3, 36.8), at("Mombasa", -4.0, 39.7), at("Kisumu", -0.1, 34.8)]),
    seat("Uganda", Africa, &[at("Kampala", 0.3, 32.6)]),
    seat("Rwanda", Africa, &[at("Kigali", -1.9, 30.1)]),
    seat("Burundi", Africa, &[at("Gitega", -3.4, 29.9), at("Bujumbura", -3.4, 29.4)]),
    seat("Tanzania", Africa, &[at("Dodoma", -6.2, 35.7), at("Mwanza", -2.5, 32.9)]),
    seat("Gabon", Africa, &[at("Libreville", 0.4, 9.5)]),
    seat("Cameroon", Africa, &[at("Yaounde", 3.9, 11.5), at("Douala", 4.1, 9.7)]),
    seat("Nigeria", Africa, &[at("Abuja", 9.1, 7.5), at("Lagos", 6.5, 3.4), at("Kano", 12.0, 8.5)]),
    seat("Ghana", Africa, &[at("Accra", 5.6, -0.2), at("Tamale", 9.4, -0.8)]),
    seat("Togo", Africa, &[at("Lome", 6.1, 1.2)]),
    seat("Ivory Coast", Africa, &[at("Yamoussoukro", 6.8, -5.3), at("Abidjan", 5.3, -4.0)]),
    seat("Liberia", Africa, &[at("Monrovia", 6.3, -10.8)]),
    seat("Guinea", Africa, &[at("Conakry", 9.6, -13.6)]),
    seat("Senegal", Africa, &[at("Dakar", 14.7, -17.5)]),
    seat("Mauritania", Africa, &[at("Nouakchott", 18.1, -16.0)]),
    seat("Mali", Africa, &[at("Bamako", 12.6, -8.0), at("Timbuktu", 16.8, -3.0)]),
    seat("Burkina Faso", Africa, &[at("Ouagadougou", 12.4, -1.5)]),
    seat("Niger", Africa, &[at("Niamey", 13.5, 2.1), at("Agadez", 17.0, 8.0)]),
    seat("Chad", Africa, &[at("Ndjamena", 12.1, 15.0)]),
    seat("Angola", Africa, &[at("Luanda", -8.8, 13.2), at("Huambo", -12.8, 15.7)]),
    seat("Zambia", Africa, &[at("Lusaka", -15.4, 28.3)]),
    seat("Zimbabwe", Africa, &[at("Harare", -17.8, 31.1), at("Bulawayo", -20.2, 28.6)]),
    seat("Malawi", Africa, &[at("Lilongwe", -14.0, 33.8)]),
    seat("Mozambique", Africa, &[at("Maputo", -26.0, 32.6), at("Nampula", -15.1, 39.3)]),
    seat("Botswana", Africa, &[at("Gaborone", -24.7, 25.9), at("Maun", -20.0, 23.4)]),
    seat("Namibia", Africa, &[at("Windhoek", -22.6, 17.1)]),
    land("South Africa", Africa, &[at("Johannesburg", -26.2, 28.0), at("Durban", -29.9, 31.0), at("Bloemfontein", -29.1, 26.2)]),
    seat("Madagascar", Africa, &[at("Antananarivo", -18.9, 47.5), at("Toamasina", -18.1, 49.4)]),
    seat("Canada", NorthAmerica, &[at("Ottawa", 45.4, -75.7), at("Toronto", 43.7, -79.4), at("Montreal", 45.5, -73.6), at("Vancouver", 49.3, -123.1), at("Calgary", 51.0, -114.1), at("Edmonton", 53.5, -113.5), at("Winnipeg", 49.9, -97.1), at("Halifax", 44.6, -63.6), at("Yellowknife", 62.5, -114.4), at("Whitehorse", 60.7, -135.1), at("Iqaluit", 63.7, -68.5)]),
    seat("the United States", NorthAmerica, &[at("Washington", 38.9, -77.0), at("Chicago", 41.9, -87.6), at("Houston", 29.8, -95.4), at("Dallas", 32.8, -96.8), at("Seattle", 47.6, -122.3), at("Boston", 42.4, -71.1), at("Miami", 25.8, -80.2), at("Denver", 39.7, -105.0), at("Phoenix", 33.4, -112.1), at("Atlanta", 33.7, -84.4), at("Minneapolis", 45.0, -93.3), at("Philadelphia", 40.0, -75.2), at("Anchorage", 61.2, -149.9), at("Nashville", 36.2, -86.8), at("Sacramento", 38.6, -121.5), at("Albuquerque", 35.1, -106.7)]),
    land("Mexico", NorthAmerica, &[at("Guadalajara", 20.7, -103.3), at("Monterrey", 25.7, -100.3), at("Tijuana", 32.5, -117.0), at("Acapulco", 16.9, -99.9), at("Cancun", 21.2, -86.9), at("Veracruz", 19.2, -96.1), at("Chihuahua", 28.6, -106.1)]),
    land("Guatemala", NorthAmerica, &[at("Quetzaltenango", 14.8, -91.5)]),
    seat("Belize", NorthAmerica, &[at("Belmopan", 17.3, -88.8)]),
    seat("Honduras", NorthAmerica, &[at("Tegucigalpa", 14.1, -87.2)]),
    seat("Nicaragua", NorthAmerica, &[at("Managua", 12.1, -86.3)]),
    seat("Cuba", NorthAmerica, &[at("Havana", 23.1, -82.4), at("Holguin", 20.9, -76.3)]),
    seat("Jamaica", NorthAmerica, &[at("Kingston", 18.0, -76.8)]),
    seat("the Bahamas", NorthAmerica, &[at("Nassau", 25.1, -77.3)]),
    seat("Barbados", NorthAmerica, &[at("Bridgetown", 13.1, -59.6)]),
    seat("Brazil", SouthAmerica, &[at("Brasilia", -15.8, -47.9), at("Manaus", -3.1, -60.0), at("Recife", -8.1, -34.9), at("Fortaleza", -3.7, -38.5), at("Curitiba", -25.4, -49.3), at("Belem", -1.5, -48.5), at("Goiania", -16.7, -49.3), at("Cuiaba", -15.6, -56.1)]),
    land("Argentina", SouthAmerica, &[at("Mendoza", -32.9, -68.8), at("Rosario", -32.9, -60.7), at("Salta", -24.8, -65.4), at("Ushuaia", -54.8, -68.3), at("Bariloche", -41.1, -71.3), at("Neuquen", -38.9, -68.1)]),
    seat("Chile", SouthAmerica, &[at("Santiago", -33.4, -70.7), at("Valparaiso", -33.0, -71.6), at("Antofagasta", -23.7, -70.4), at("Iquique", -20.2, -70.1), at("Temuco", -38.7, -72.6)]),
    seat("Peru", SouthAmerica, &[at("Lima", -12.0, -77.0), at("Cusco", -13.5, -72.0), at("Arequipa", -16.4, -71.5), at("Iquitos", -3.7, -73.2), at("Piura", -5.2, -80.6)]),
    land("Bolivia", SouthAmerica, &[at("Cochabamba", -17.4, -66.2), at("Potosi", -19.6, -65.8), at("Sucre", -19.0, -65.3)]),
    seat("Ecuador", SouthAmerica, &[at("Quito", -0.2, -78.5), at("Guayaquil", -2.2, -79.9)]),
    seat("Colombia", SouthAmerica, &[at("Bogota", 4.7, -74.1), at("Medellin", 6.2, -75.6), at("Cali", 3.4, -76.5), at("Barranquilla", 11.0, -74.8), at("Leticia", -4.2, -69.9)]),
    seat("Venezuela", SouthAmerica, &[at("Caracas", 10.5, -66.9), at("Maracaibo", 10.6, -71.6), at("Barquisimeto", 10.1, -69.3)]),
    seat("Paraguay", SouthAmerica, &[at("Asuncion", -25.3, -57.6), at("Encarnacion", -27.3, -55.9)]),
    seat("Uruguay", SouthAmerica, &[at("Montevideo", -34.9, -56.2), at("Paysandu", -32.3, -58.1)]),
    seat("Guyana", SouthAmerica, &[at("Georgetown", 6.8, -58.2)]),
    seat("Suriname", SouthAmerica, &[at("Paramaribo", 5.9, -55.2)]),
    seat("Australia", Oceania, &[at("Canberra", -35.3, 149.1), at("Sydney", -33.9, 151.2), at("Melbourne", -37.8, 145.0), at("Brisbane", -27.5, 153.0), at("Perth", -32.0, 115.9), at("Adelaide", -34.9, 138.6), at("Darwin", -12.5, 130.8), at("Hobart", -42.9, 147.3), at("Cairns", -16.9, 145.8), at("Townsville", -19.3, 146.8), at("Broome", -18.0, 122.2), at("Kalgoorlie", -30.7, 121.5), at("Geelong", -38.1, 144.4)]),
    seat("New Zealand", Oceania, &[at("Wellington", -41.3, 174.8), at("Auckland", -36.8, 174.8), at("Christchurch", -43.5, 172.6), at("Dunedin", -45.9, 170.5), at("Rotorua", -38.1, 176.2), at("Invercargill", -46.4, 168.4), at("Whangarei", -35.7, 174.3)]),
    seat("Fiji", Oceania, &[at("Suva", -18.1, 178.4), at("Nadi", -17.8, 177.4)]),
    land("Papua New Guinea", Oceania, &[at("Lae", -6.7, 147.0), at("Madang", -5.2, 145.8), at("Goroka", -6.1, 145.4), at("Wewak", -3.6, 143.6)]),
    land("Vanuatu", Oceania, &[at("Luganville", -15.5, 167.2)]),
    seat("the Solomon Islands", Oceania, &[at("Honiara", -9.4, 159.9)]),
];

/// Land borders between countries of the table, each pair once, complete for these countries' main lands (a country's distant parts,
/// such as French Guiana, Ceuta and Kaliningrad, would add the pairs in [`DISTANT_BORDERS`]).
#[rustfmt::skip]
pub(crate) const BORDERS: &[(&str, &str)] = &[
    ("Norway", "Sweden"), ("Norway", "Finland"), ("Norway", "Russia"), ("Sweden", "Finland"), ("Finland", "Russia"),
    ("Denmark", "Germany"), ("Ireland", "United Kingdom"), ("France", "Spain"), ("France", "Belgium"), ("France", "Germany"),
    ("France", "Switzerland"), ("France", "Italy"), ("Spain", "Portugal"), ("Germany", "Netherlands"), ("Germany", "Belgium"),
    ("Germany", "Switzerland"), ("Germany", "Austria"), ("Germany", "Czechia"), ("Germany", "Poland"), ("Netherlands", "Belgium"),
    ("Switzerland", "Austria"), ("Switzerland", "Italy"), ("Austria", "Italy"), ("Austria", "Czechia"), ("Austria", "Slovakia"),
    ("Austria", "Hungary"), ("Austria", "Slovenia"), ("Italy", "Slovenia"), ("Greece", "Albania"), ("Greece", "Bulgaria"),
    ("Greece", "Turkey"), ("Poland", "Czechia"), ("Poland", "Slovakia"), ("Poland", "Ukraine"), ("Poland", "Belarus"),
    ("Poland", "Lithuania"), ("Czechia", "Slovakia"), ("Slovakia", "Hungary"), ("Slovakia", "Ukraine"), ("Hungary", "Ukraine"),
    ("Hungary", "Romania"), ("Hungary", "Serbia"), ("Hungary", "Croatia"), ("Hungary", "Slovenia"), ("Romania", "Ukraine"),
    ("Romania", "Moldova"), ("Romania", "Bulgaria"), ("Romania", "Serbia"), ("Bulgaria", "Serbia"), ("Bulgaria", "Turkey"),
    ("Serbia", "Croatia"), ("Croatia", "Slovenia"), ("Ukraine", "Belarus"), ("Ukraine", "Russia"), ("Ukraine", "Moldova"),
    ("Belarus", "Lithuania"), ("Belarus", "Latvia"), ("Belarus", "Russia"), ("Lithuania", "Latvia"), ("Latvia", "Estonia"),
    ("Latvia", "Russia"), ("Estonia", "Russia"), ("Russia", "Georgia"), ("Russia", "Azerbaijan"), ("Russia", "Kazakhstan"),
    ("Russia", "China"), ("Russia", "Mongolia"), ("Russia", "North Korea"), ("Turkey", "Georgia"), ("Turkey", "Armenia"),
    ("Turkey", "Syria"), ("Turkey", "Iraq"), ("Turkey", "Iran"), ("Georgia", "Armenia"), ("Georgia", "Azerbaijan"),
    ("Armenia", "Azerbaijan"), ("Armenia", "Iran"), ("Azerbaijan", "Iran"), ("Lebanon", "Syria"), ("Syria", "Jordan"),
    ("Syria", "Iraq"), ("Jordan", "Iraq"), ("Jordan", "Saudi Arabia"), ("Iraq", "Iran"), ("Iraq", "Saudi Arabia"),
    ("Iran", "Turkmenistan"), ("Iran", "Afghanistan"), ("Iran", "Pakistan"), ("Saudi Arabia", "Yemen"), ("Saudi Arabia", "Oman"),
    ("Saudi Arabia", "Qatar"), ("Yemen", "Oman"), ("Kazakhstan", "Uzbekistan"), ("Kazakhstan", "Turkmenistan"), ("Kazakhstan", "Kyrgyzstan"),
    ("Kazakhstan", "China"), ("Uzbekistan", "Turkmenistan"), ("Uzbekistan", "Kyrgyzstan"), ("Uzbekistan", "Tajikistan"), ("Uzbekistan", "Afghanistan"),
    ("Turkmenistan", "Afghanistan"), ("Kyrgyzstan", "Tajikistan"), ("Kyrgyzstan", "China"), ("Tajikistan", "Afghanistan"), ("Tajikistan", "China"),
    ("Afghanistan", "Pakistan"), ("Afghanistan", "China"), ("Pakistan", "India"), ("Pakistan", "China"), ("India", "Nepal"),
    ("India", "Bhutan"), ("India", "Bangladesh"), ("India", "Myanmar"), ("India", "China"), ("Nepal", "China"),
    ("Bhutan", "China"), ("Bangladesh", "Myanmar"), ("Myanmar", "Thailand"), ("Myanmar", "Laos"), ("Myanmar", "China"),
    ("Thailand", "Laos"), ("Thailand", "Cambodia"), ("Thailand", "Malaysia"), ("Laos", "Cambodia"), ("Laos", "Vietnam"),
    ("Laos", "China"), ("Cambodia", "Vietnam"), ("Vietnam", "China"), ("Malaysia", "Indonesia"), ("Indonesia", "Papua New Guinea"),
    ("China", "Mongolia"), ("China", "North Korea"), ("South Korea", "North Korea"), ("Morocco", "Algeria"), ("Algeria", "Tunisia"),
    ("Algeria", "Libya"), ("Algeria", "Niger"), ("Algeria", "Mali"), ("Algeria", "Mauritania"), ("Tunisia", "Libya"),
    ("Libya", "Egypt"), ("Libya", "Sudan"), ("Libya", "Chad"), ("Libya", "Niger"), ("Egypt", "Sudan"),
    ("Sudan", "Ethiopia"), ("Sudan", "Eritrea"), ("Sudan", "Chad"), ("Ethiopia", "Eritrea"), ("Ethiopia", "Somalia"),
    ("Ethiopia", "Kenya"), ("Somalia", "Kenya"), ("Kenya", "Uganda"), ("Kenya", "Tanzania"), ("Uganda", "Rwanda"),
    ("Uganda", "Tanzania"), ("Rwanda", "Burundi"), ("Rwanda", "Tanzania"), ("Burundi", "Tanzania"), ("Tanzania", "Zambia"),
    ("Tanzania", "Malawi"), ("Tanzania", "Mozambique"), ("Gabon", "Cameroon"), ("Cameroon", "Nigeria"), ("Cameroon", "Chad"),
    ("Nigeria", "Niger"), ("Nigeria", "Chad"), ("Ghana", "Togo"), ("Ghana", "Ivory Coast"), ("Ghana", "Burkina Faso"),
    ("Togo", "Burkina Faso"), ("Ivory Coast", "Liberia"), ("Ivory Coast", "Guinea"), ("Ivory Coast", "Mali"), ("Ivory Coast", "Burkina Faso"),
    ("Liberia", "Guinea"), ("Guinea", "Senegal"), ("Guinea", "Mali"), ("Senegal", "Mauritania"), ("Senegal", "Mali"),
    ("Mauritania", "Mali"), ("Mali", "Burkina Faso"), ("Mali", "Niger"), ("Burkina Faso", "Niger"), ("Niger", "Chad"),
    ("Angola", "Zambia"), ("Angola", "Namibia"), ("Zambia", "Zimbabwe"), ("Zambia", "Malawi"), ("Zambia", "Mozambique"),
    ("Zambia", "Botswana"), ("Zambia", "Namibia"), ("Zimbabwe", "Mozambique"), ("Zimbabwe", "Botswana"), ("Zimbabwe", "South Africa"),
    ("Malawi", "Mozambique"), ("Mozambique", "South Africa"), ("Botswana", "Namibia"), ("Botswana", "South Africa"), ("Namibia", "South Africa"),
    ("Canada", "United States"), ("United States", "Mexico"), ("Mexico", "Guatemala"), ("Mexico", "Belize"), ("Guatemala", "Belize"),
    ("Guatemala", "Honduras"), ("Honduras", "Nicaragua"), ("Brazil", "Argentina"), ("Brazil", "Peru"), ("Brazil", "Bolivia"),
    ("Brazil", "Colombia"), ("Brazil", "Venezuela"), ("Brazil", "Paraguay"), ("Brazil", "Uruguay"), ("Brazil", "Guyana"),
    ("Brazil", "Suriname"), ("Argentina", "Chile"), ("Argentina", "Bolivia"), ("Argentina", "Paraguay"), ("Argentina", "Uruguay"),
    ("Chile", "Peru"), ("Chile", "Bolivia"), ("Peru", "Bolivia"), ("Peru", "Ecuador"), ("Peru", "Colombia"),
    ("Bolivia", "Paraguay"), ("Ecuador", "Colombia"), ("Colombia", "Venezuela"), ("Venezuela", "Guyana"), ("Guyana", "Suriname"),
];

/// Pairs that are neither stated nor denied: borders of distant parts, very short ones, and disputed ones.
#[rustfmt::skip]
pub(crate) const DISTANT_BORDERS: &[(&str, &str)] = &[
    ("France", "Brazil"), ("France", "Suriname"), ("France", "Netherlands"), ("Spain", "Morocco"), ("Russia", "Poland"), ("Russia", "Lithuania"),
    ("Azerbaijan", "Turkey"), ("Canada", "Denmark"), ("Mauritania", "Morocco"), ("Namibia", "Zimbabwe"), ("United Kingdom", "Spain"),
    ("India", "Afghanistan"), ("Morocco", "Mali"), ("Malaysia", "Philippines"), ("Denmark", "Sweden"), ("Serbia", "Albania"),
];

/// Rivers and countries that they flow through.
#[rustfmt::skip]
pub(crate) const RIVERS: &[RiverRow] = &[
    river("Thames", &["United Kingdom"]), river("Seine", &["France"]), river("Loire", &["France"]), river("Rhone", &["Switzerland", "France"]),
    river("Rhine", &["Switzerland", "Germany", "Netherlands"]), river("Danube", &["Germany", "Austria", "Hungary", "Serbia", "Romania"]),
    river("Elbe", &["Czechia", "Germany"]), river("Vistula", &["Poland"]), river("Volga", &["Russia"]), river("Dnieper", &["Russia", "Belarus", "Ukraine"]),
    river("Ebro", &["Spain"]), river("Tagus", &["Spain", "Portugal"]), river("Tiber", &["Italy"]), river("Shannon", &["Ireland"]),
    river("Dniester", &["Ukraine", "Moldova"]), river("Glomma", &["Norway"]), river("Lena", &["Russia"]), river("Yenisei", &["Russia"]),
    river("Nile", &["Uganda", "Sudan", "Egypt"]), river("Zambezi", &["Zambia", "Angola", "Mozambique"]), river("Okavango", &["Angola", "Namibia", "Botswana"]),
    river("Volta", &["Ghana"]), river("Tana", &["Kenya"]), river("Rufiji", &["Tanzania"]), river("Benue", &["Cameroon", "Nigeria"]),
    river("Tigris", &["Turkey", "Iraq"]), river("Euphrates", &["Turkey", "Syria", "Iraq"]), river("Karun", &["Iran"]), river("Indus", &["China", "India", "Pakistan"]),
    river("Ganges", &["India", "Bangladesh"]), river("Brahmaputra", &["China", "India", "Bangladesh"]), river("Irrawaddy", &["Myanmar"]),
    river("Mekong", &["China", "Laos", "Cambodia", "Vietnam"]), river("Yangtze", &["China"]), river("Shinano", &["Japan"]), river("Kapuas", &["Indonesia"]),
    river("Helmand", &["Afghanistan"]), river("Amazon", &["Peru", "Brazil"]), river("Orinoco", &["Venezuela"]), river("Parana", &["Brazil", "Argentina"]),
    river("Magdalena", &["Colombia"]), river("Mississippi", &["United States"]), river("Missouri", &["United States"]), river("Yukon", &["Canada", "United States"]),
    river("Mackenzie", &["Canada"]), river("Murray", &["Australia"]), river("Waikato", &["New Zealand"]), river("Sepik", &["Papua New Guinea"]),
];
